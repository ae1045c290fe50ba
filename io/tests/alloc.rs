//! Reading, writing and waiting allocate nothing once a connection is warm.

mod rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::pin::pin;

use rig::Rig;
use tenter_io::{AsyncReadExt, AsyncWriteExt, Backend};

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator, whose contract it keeps unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn a_warm_connection_allocates_nothing() {
    for backend in [Backend::Best, Backend::PollingEdge, Backend::PollingOneshot] {
        let mut rig = Rig::new(backend);
        let (mut client, mut server) = rig.pair();
        rig.block_on(async {
            let mut buffer = [0; 64];
            let mut before = 0;
            for round in 0..600 {
                if round == 100 {
                    before = allocations();
                }
                // The reader waits first, so that every round goes through the driver.
                let _ = server.try_read(&mut buffer);
                {
                    let mut wait = pin!(server.readable());
                    assert!(rig::poll_once(wait.as_mut()).is_pending());
                    client.write_all(&[7; 64]).await?;
                    wait.await?;
                }
                server.read_exact(&mut buffer).await?;
                server.write_all(&buffer).await?;
                client.read_exact(&mut buffer).await?;
            }
            assert_eq!(allocations() - before, 0, "{backend:?}");
            io::Result::Ok(())
        })
        .expect("no error");
    }
}

#[test]
fn the_count_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(7)));
    assert_eq!(allocations() - before, 1);
}
