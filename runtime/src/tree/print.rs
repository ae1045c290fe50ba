//! A tree in lines, and a table.
//!
//! Nothing recurses: an open line has its prefix with it. Below [`DEEP`] levels only how many follow is said,
//! for each level makes all lines below it longer.

use core::fmt::{self, Write as _};

use super::TaskTree;
use super::node::TaskNode;

/// How many levels are drawn.
const DEEP: usize = 100;

/// Of many workers: else a program that hangs in its main future looks like one that has nothing to do.
const MAIN: &str = "The future of block_on is no task beside many workers, and is not shown. Spawn it to see it: \
                    tenter::spawn(main()).await\n";

/// What has a line.
#[derive(Clone, Copy)]
enum Item {
    Task(usize),
    Group(usize),
    Wait(usize),
}

impl fmt::Display for TaskTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut roots: Vec<Item> = Vec::new();
        roots.extend(self.loose_groups().map(Item::Group));
        roots.extend(self.root_places().map(Item::Task));
        // Last in, first out: what is next is at the end.
        let mut open: Vec<(Item, String, bool)> = Vec::new();
        push(&mut open, roots, "");
        while let Some((item, prefix, last)) = open.pop() {
            let branch = if last { "└── " } else { "├── " };
            write!(f, "{prefix}{branch}")?;
            match item {
                Item::Task(place) => self.write_task(f, &self.tasks[place])?,
                Item::Group(number) => write!(f, " {}", self.groups[number])?,
                Item::Wait(place) => {
                    let wait = self.tasks[place].wait.as_ref();
                    write!(f, " waits for {}", wait.expect("it has a line"))?;
                }
            }
            f.write_char('\n')?;
            let below = self.below(item);
            let prefix = format!("{prefix}{}", if last { "    " } else { "│   " });
            if prefix.chars().count() / 4 < DEEP {
                push(&mut open, below, &prefix);
            } else if !below.is_empty() {
                let hidden = self.count_below(below);
                writeln!(f, "{prefix}└──  and {hidden} more lines, deeper")?;
            }
        }
        self.write_rest(f)
    }
}

fn push(open: &mut Vec<(Item, String, bool)>, items: Vec<Item>, prefix: &str) {
    let last = items.len();
    let items = items.into_iter().enumerate().rev();
    open.extend(items.map(|(index, item)| (item, prefix.to_owned(), index + 1 == last)));
}

impl TaskTree {
    fn below(&self, item: Item) -> Vec<Item> {
        let mut items = Vec::new();
        match item {
            Item::Wait(_) => {}
            Item::Task(place) => {
                items.extend(
                    self.tasks[place]
                        .wait
                        .is_some()
                        .then_some(Item::Wait(place)),
                );
                items.extend(self.forest.joined[place].iter().copied().map(Item::Task));
                items.extend(
                    self.forest.groups_in[place]
                        .iter()
                        .copied()
                        .map(Item::Group),
                );
            }
            Item::Group(number) => {
                items.extend(self.forest.members[number].iter().copied().map(Item::Task));
                items.extend(self.forest.inner[number].iter().copied().map(Item::Group));
            }
        }
        items
    }

    fn count_below(&self, mut items: Vec<Item>) -> usize {
        let mut count = 0;
        while let Some(item) = items.pop() {
            count += 1;
            items.extend(self.below(item));
        }
        count
    }

    fn write_task(&self, f: &mut fmt::Formatter<'_>, task: &TaskNode) -> fmt::Result {
        write!(f, "(T) {task}")?;
        if task.name.is_none() {
            write!(f, " spawned at {}", task.spawned_at)?;
        }
        if task.wait.is_none() {
            write!(f, ", {}", task.state)?;
        }
        match &task.cancel_requested {
            Some(reason) => write!(f, ", to be cancelled: {reason}"),
            None => Ok(()),
        }
    }

    /// The circles, and whether it is the whole tree.
    fn write_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cycle in &self.cycles {
            writeln!(f, "deadlock: {}", self.in_words(cycle))?;
        }
        if self.tasks.is_empty() && self.complete {
            f.write_str("no tasks\n")?;
        }
        if !self.complete {
            f.write_str(
                "The thread that drives this runtime did not answer within a second: a poll there \
                 blocks it, or it is stopped.\n",
            )?;
        }
        self.write_main(f)
    }

    fn write_main(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.beside_workers {
            f.write_str(MAIN)?;
        }
        Ok(())
    }
}

/// The tasks of a [`TaskTree`] as a table: a line for each. Made by [`TaskTree::table`].
#[derive(Clone, Copy, Debug)]
pub struct TaskTable<'a>(pub(super) &'a TaskTree);

const HEAD: [&str; 6] = [
    "task",
    "name",
    "state",
    "spawned at",
    "waits for",
    "awaited by",
];

impl TaskTable<'_> {
    fn row(&self, task: &TaskNode) -> [String; 6] {
        let name = task.name().map(|name| name.escape_debug().to_string());
        let wait = task.wait().map(ToString::to_string);
        let awaiters = self.0.awaited_by(task.id);
        let awaiters: Vec<String> = awaiters.map(|it| it.to_string()).collect();
        [
            task.id.to_string(),
            name.unwrap_or_default(),
            task.state.to_string(),
            task.spawned_at.to_string(),
            wait.unwrap_or_default(),
            awaiters.join(", "),
        ]
    }
}

impl fmt::Display for TaskTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 6]> = self.0.tasks().iter().map(|task| self.row(task)).collect();
        let mut widths = HEAD.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut line = |cells: [&str; 6]| {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(cells) {
                let _ = write!(line, "{cell:width$}  ");
            }
            writeln!(f, "{}", line.trim_end())
        };
        line(HEAD)?;
        line(
            widths
                .map(|width| "-".repeat(width))
                .each_ref()
                .map(String::as_str),
        )?;
        for row in &rows {
            line(row.each_ref().map(String::as_str))?;
        }
        for cycle in &self.0.cycles {
            writeln!(f, "deadlock: {}", self.0.in_words(cycle))?;
        }
        self.0.write_main(f)
    }
}
