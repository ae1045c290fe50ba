//! Descriptors of `tenter::signal`, in a process in which nothing else opens files.

use tenter::signal::{SignalKind, signals};

/// Goal: listening opens two descriptors and dropping closes them, also when a kind is refused.
#[tenter::test(flavor = "current_thread", timeout = "20s")]
async fn nothing_stays_open_after_the_drop_or_an_error() {
    let open = || std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    drop(signals([SignalKind::user_defined1()]).unwrap());
    let Ok(before) = open() else {
        println!("no /proc/self/fd here: descriptors are not counted");
        return;
    };
    for _ in 0..10 {
        drop(signals([SignalKind::user_defined1(), SignalKind::user_defined2()]).unwrap());
        signals([SignalKind::user_defined1(), SignalKind::from_raw(9)]).unwrap_err();
    }
    assert_eq!(open().unwrap(), before);
}
