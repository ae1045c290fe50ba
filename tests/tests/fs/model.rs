//! A file against one in memory: whatever is done in whatever order, and dropped after however many
//! polls, the two agree.

use std::io::{Seek, SeekFrom};
use std::pin::Pin;

use tenter::fs::File;
use tenter::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::read::seek;
use crate::support::{everywhere, pattern, polled_at_most};

const STEPS: usize = 400;

/// Numbers that look random, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Small ones and large ones.
    fn length(&mut self) -> usize {
        let most = [1, 10, 1_000, 10_000, 300_000][self.below(5)];
        1 + self.below(most)
    }

    /// A few polls, or as many as it takes.
    fn polls(&mut self) -> usize {
        [1, 2, 3, 10, usize::MAX, usize::MAX][self.below(6)]
    }
}

/// What the file should be.
struct Model {
    bytes: Vec<u8>,
    position: usize,
}

impl Model {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn write_at(&mut self, bytes: &[u8], start: usize) {
        let end = start + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(bytes);
    }
}

async fn read(file: &mut File, model: &mut Model, random: &mut Random) {
    let mut buffer = vec![0; random.length()];
    let read = polled_at_most(random.polls(), file.read(&mut buffer)).await;
    let Some(count) = read.transpose().unwrap() else {
        return;
    };
    let rest = model.rest();
    assert_eq!(count == 0, rest.is_empty(), "at {}", model.position);
    assert!(buffer[..count] == rest[..count], "at {}", model.position);
    model.position += count;
}

async fn look(file: &mut File, model: &mut Model, random: &mut Random) {
    let filled = polled_at_most(random.polls(), file.fill_buf()).await;
    let Some(chunk) = filled.transpose().unwrap() else {
        return;
    };
    let rest = model.rest();
    assert_eq!(chunk.is_empty(), rest.is_empty(), "at {}", model.position);
    assert!(rest.starts_with(chunk), "at {}", model.position);
    let count = random.length().min(chunk.len());
    Pin::new(file).consume(count);
    model.position += count;
}

async fn write(file: &mut File, model: &mut Model, random: &mut Random) {
    let bytes = pattern(random.length());
    let written = polled_at_most(random.polls(), file.write(&bytes)).await;
    let count = written.transpose().unwrap().unwrap_or(0);
    if count > 0 {
        model.write_at(&bytes[..count], model.position);
        model.position += count;
    }
}

async fn move_to(file: &mut File, model: &mut Model, random: &mut Random) {
    let place = random.below(model.bytes.len() + 100);
    let target = match random.below(3) {
        0 => SeekFrom::Start(place as u64),
        1 => SeekFrom::Current(place as i64 - model.position as i64),
        _ => SeekFrom::End(place as i64 - model.bytes.len() as i64),
    };
    let sought = polled_at_most(random.polls(), seek(file, target)).await;
    // One that was dropped has happened or not; a fixed one decides it.
    let sought = match sought {
        Some(sought) => sought.unwrap(),
        None => seek(file, SeekFrom::Start(place as u64)).await.unwrap(),
    };
    assert_eq!(sought, place as u64);
    model.position = place;
}

/// What has to be seen to its end: nobody can say what is in the file otherwise.
async fn the_rest(mut file: File, model: &mut Model, random: &mut Random) -> File {
    let place = random.below(model.bytes.len() + 100);
    match random.below(6) {
        0 => {
            let bytes = pattern(random.length());
            let count = file.write_at(&bytes, place as u64).await.unwrap();
            model.write_at(&bytes[..count], place);
        }
        1 => {
            file.set_len(place as u64).await.unwrap();
            model.bytes.resize(place, 0);
        }
        2 => {
            let mut buffer = vec![0; random.length()];
            let count = file.read_at(&mut buffer, place as u64).await.unwrap();
            let there = model.bytes.get(place..).unwrap_or_default();
            assert_eq!(count, there.len().min(buffer.len()));
            assert!(buffer[..count] == there[..count], "at {place}");
        }
        3 => {
            let length = file.metadata().await.unwrap().len();
            assert_eq!(length, model.bytes.len() as u64);
        }
        4 => drop(file.try_clone().await.unwrap()),
        _ => {
            let mut std = file.into_std().await.unwrap();
            assert_eq!(std.stream_position().unwrap(), model.position as u64);
            file = File::from_std(std);
        }
    }
    file
}

#[test]
fn a_file_is_what_was_done_with_it() {
    everywhere(|folder| async move {
        for seed in 1..=3 {
            let random = &mut Random(0x9e37_79b9_7f4a_7c15 ^ seed << 20);
            let model = &mut Model {
                bytes: pattern(50_000),
                position: 0,
            };
            let path = folder.file("a", &model.bytes);
            let mut options = File::options();
            let mut file = options.read(true).write(true).open(&path).await.unwrap();
            for _ in 0..STEPS {
                match random.below(12) {
                    0..4 => read(&mut file, model, random).await,
                    4 => look(&mut file, model, random).await,
                    5..8 => write(&mut file, model, random).await,
                    8 | 9 => move_to(&mut file, model, random).await,
                    10 => {
                        let flushed = polled_at_most(random.polls(), file.flush()).await;
                        if flushed.transpose().unwrap().is_some() {
                            assert!(std::fs::read(&path).unwrap() == model.bytes);
                        }
                    }
                    _ => file = the_rest(file, model, random).await,
                }
            }
            file.close().await.unwrap();
            assert!(std::fs::read(&path).unwrap() == model.bytes, "seed {seed}");
        }
    });
}
