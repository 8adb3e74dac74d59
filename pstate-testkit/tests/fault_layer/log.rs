//! What the log shows.

use pstate_core::{Adapter, Error, ErrorKind};
use pstate_testkit::Call;

use crate::fixture::{SECOND, get, memory, put};

#[tokio::test(start_paused = true)]
async fn the_log_shows_each_call_with_its_fault() {
    let (_memory, faults) = memory();
    let timeout = Error::new(ErrorKind::Timeout, "no answer");
    put(&*faults, "a").await.unwrap();
    faults.fail_after(Call::Write, timeout.clone());
    put(&*faults, "b").await.unwrap_err();
    drop(faults.fail_early(Call::Write, timeout));
    put(&*faults, "c").await.unwrap_err();
    faults.settled().await;
    faults.delay(Call::Read, SECOND);
    get(&*faults).await.unwrap();
    faults.disconnect();
    faults.flush().await.unwrap_err();
    let expected = r#"
  1  write(default, each: put card:1 "a") -> [stored r1]
  2  write(default, each: put card:1 "b") -> error (timeout): no answer   [fault: fails after its effect]
  3  write(default, each: put card:1 "c") -> error (timeout): no answer   [fault: fails, its effect comes later]
  4  multi_get(default: card:1) -> ["c" at r2]   [fault: delayed before its effect]
  5  flush() -> error (unavailable, safe to retry): there is no connection   [fault: no connection]"#;
    assert_eq!(format!("\n{}", faults.log().lines().join("\n")), expected);
}
