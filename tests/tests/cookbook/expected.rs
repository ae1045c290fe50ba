//! What the programs of the cookbook print, and when.

use std::time::Duration;

use tenter_examples::cookbook::PROGRAMS;
use tenter_examples::cookbook::site::EXAMPLE;
use tenter_examples::cookbook::stage::Line;

/// In what order the lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `X`: the program's own waits make it, so it is the same everywhere.
    Exact,
    /// `F`: that of one moment is that of a single queue; on many workers it is free.
    Fifo,
    /// `G`: that of one moment is free everywhere, as threads take part.
    Grouped,
    /// `R`: free on many workers; on a virtual clock that of one moment is.
    Racy,
}

/// What a program prints.
pub struct Case {
    pub id: &'static str,
    pub order: Order,
    pub took: Duration,
    pub lines: Vec<Line>,
}

/// One for each program.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in TABLE.trim().lines() {
        if let Some(line) = line.strip_prefix("  ") {
            let (at, text) = line.split_once(' ').unwrap();
            let start: String = EXAMPLE.chars().take(100).collect();
            let text = text
                .replace("{EXAMPLE}", EXAMPLE)
                .replace("{START}", &start);
            cases.last_mut().unwrap().lines.push((seconds(at), text));
            continue;
        }
        let [id, order, took] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let order = match order {
            "X" => Order::Exact,
            "F" => Order::Fifo,
            "G" => Order::Grouped,
            "R" => Order::Racy,
            other => panic!("{other}"),
        };
        let (took, lines) = (seconds(took), Vec::new());
        cases.push(Case {
            id,
            order,
            took,
            lines,
        });
    }
    let ids = cases.iter().map(|case| case.id);
    assert!(
        ids.eq(PROGRAMS.iter().map(|program| program.id())),
        "one case for each program"
    );
    cases
}

fn seconds(text: &str) -> Duration {
    Duration::from_millis((text.parse::<f64>().unwrap() * 1_000.0).round() as u64)
}

/// Id, order, and how many seconds it takes; then each line, and in which second it comes.
///
/// The parts of a `gather` take turns in one task, in order. So P06, P10, P13 and P21 are exact on many
/// workers, too.
const TABLE: &str = "
p01 X 1
  0 Hello,
  1 World!
p02 X 2
  1 Task B completed
  2 Task A completed
p03 X 2
  0 Main function continues
  1 Main function done
  2 Background task done
p04 F 3
  0 Processing 0
  0 Processing 1
  1 Processing 2
  1 Processing 3
  2 Processing 4
p05 X 0
  0 Acquiring resource
  0 Using resource
  0 Releasing resource
p06 X 3
  0 Task 1 executing
  1 Task 2 executing
  2 Task 3 executing
p07 X 0
  0 Asyncio Run Example
p08 X 3
  3 Operation timed out
p09 X 1
  1 Hello, Hashim! 👋
p10 X 3
  0 Attending to table 1 🍽️
  0 Attending to table 2 🍽️
  0 Attending to table 3 🍽️
  0 Attending to table 4 🍽️
  0 Attending to table 5 🍽️
  2 Taking order from table 1 📝
  2 Taking order from table 2 📝
  2 Taking order from table 3 📝
  2 Taking order from table 4 📝
  2 Taking order from table 5 📝
  3 Serving food to table 1 🍲
  3 Serving food to table 2 🍲
  3 Serving food to table 3 🍲
  3 Serving food to table 4 🍲
  3 Serving food to table 5 🍲
p11 X 15
  0 Attending to table 1 🍽️
  2 Taking order from table 1 📝
  3 Serving food to table 1 🍲
  3 Attending to table 2 🍽️
  5 Taking order from table 2 📝
  6 Serving food to table 2 🍲
  6 Attending to table 3 🍽️
  8 Taking order from table 3 📝
  9 Serving food to table 3 🍲
  9 Attending to table 4 🍽️
  11 Taking order from table 4 📝
  12 Serving food to table 4 🍲
  12 Attending to table 5 🍽️
  14 Taking order from table 5 📝
  15 Serving food to table 5 🍲
p12 R 0.5
  0.1 Fetched {site}/openai with 12567 characters. 📄
  0.2 Fetched {site}/stackoverflow with 42000 characters. 📄
  0.3 Fetched {site}/python with 48885 characters. 📄
  0.4 Fetched {site}/reddit with 30000 characters. 📄
  0.5 Fetched {site}/github with 35000 characters. 📄
p13 X 2
  0 Processing 1... 🔄
  0 Processing 2... 🔄
  0 Processing 3... 🔄
  0 Processing 4... 🔄
  0 Processing 5... 🔄
  2 Finished processing 1: Result is 2 ✅
  2 Finished processing 2: Result is 4 ✅
  2 Finished processing 3: Result is 6 ✅
  2 Finished processing 4: Result is 8 ✅
  2 Finished processing 5: Result is 10 ✅
  2 All results: [2, 4, 6, 8, 10] 🎉
p14 X 1
p15 X 0
  0 {EXAMPLE}
p16 X 5
  1 Step completed
  1 Step completed
  2 Step completed
  2 Step completed
  3 Step completed
  3 Step completed
  4 Step completed
  4 Step completed
  5 Step completed
  5 Step completed
p17 X 1
  1 Caught an exception: An error occurred! ❌
p18 X 0
  0 Hello, Asyncio!
p19 X 2
  0 Tasks created
  1 Hello
  2 World
p20 X 3
  1 Task C completed
  2 Task A completed
  3 Task B completed
p21 X 3
  0 Starting to color...
  0 Starting to read...
  2 Finished coloring!
  3 Finished reading!
p22 X 1
  0 Hello
  1 World
p23 X 2
  1 Task 2 complete
  2 Task 1 complete
p24 X 0
  0 {START}
p25 X 3
  0 Main Task Running
  1 Main Task Complete
  3 Background Task Complete
p26 X 2
  2 Caught an error: Something went wrong!
p27 F 5
  1 Produced: 0
  1 Consumed: 0
  2 Produced: 1
  2 Consumed: 1
  3 Produced: 2
  3 Consumed: 2
  4 Produced: 3
  4 Consumed: 3
  5 Produced: 4
  5 Consumed: 4
p28 G 3
  0 Starting blocking task
  0 Starting async task
  2 Async task complete
  3 Blocking task complete
f01 X 0
f02 X 2
f03 X 0
  0 started
  0 it made 42
f04 X 0
  0 one, 2
f05 X 3
  2 1 done, 1 pending
  2 done after 1 s
  3 done after 3 s
f06 X 0
  0 Blocking operation
f07 X 0
  0 Produced item
f08 F 3
  1 Task 1 is done
  1 Task 2 is done
  2 Task 3 is done
  2 Task 4 is done
  3 Task 5 is done
f09 X 0
  0 Waiting
  0 Setting
  0 Going on
f10 X 0
  0 Resource updated
f11 F 3
  0 Fetching data 1
  0 Fetching data 2
  0 Fetching data 3
  1 Data 3 is there
  2 Data 1 is there
  3 Data 2 is there
f12 X 3
  1 Data 2 is there
  2 Data 1 is there
  3 Data 3 is there
  3 100
  3 200
  3 300
f13 X 0
  0 locked: true, and cannot be had: true
  0 locked: false
f14 X 0
  0 0 left, true refused
  0 3 left
f15 X 2
  1 The event was set
  2 set: false, waited in vain: true
f16 X 1
  0 the water is hot
  0 brewing tea
  1 a cup of tea
";
