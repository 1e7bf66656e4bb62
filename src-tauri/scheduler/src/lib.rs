//! Pure decisions: conditions, policy, jobs and time to what runs, what waits and why
