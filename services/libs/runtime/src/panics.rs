//! A panic anywhere ends the process. A task or thread that is gone leaves a role that looks alive and does nothing; a
//! process that is gone is started again, and what it had not committed is repeated.

/// From now on, a panic on whatever thread is reported (stderr and the log) and then aborts the process, without any
/// cleaning up. For `serve`: a command that panics just fails.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        // Not the message: nobody knows what it quotes.
        tracing::error!(
            at,
            "this process panicked and ends; what it had not committed is repeated"
        );
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Not a test of its own: what the one below runs in a process of its own, by its exact name.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "it is the child of the test below"]
    async fn child() {
        super::abort_on_panic();
        tokio::spawn(async { panic!("in the background") });
        std::future::pending::<()>().await;
    }

    #[test]
    fn a_panic_in_the_background_ends_the_process() {
        let child = Command::new(std::env::current_exe().expect("a test knows its binary"))
            .args(["--exact", "panics::tests::child", "--ignored"])
            .output()
            .expect("the test binary runs");
        assert_eq!(child.status.signal(), Some(6), "SIGABRT");
    }
}
