//! CPU time of this process and of those it waited for, as the system counts it.
#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first thing that is not so")]

use std::time::Instant;

/// Repeats `work` for some seconds and prints it by the process' own CPU time; gives how often in a CPU-second.
pub fn line(what: &str, seconds: f64, mut work: impl FnMut()) -> f64 {
    for _ in 0..3 {
        work();
    }
    let (start, before) = (Instant::now(), cpu_seconds().0);
    let mut times = 0;
    while start.elapsed().as_secs_f64() < seconds {
        work();
        times += 1;
    }
    let cpu = cpu_seconds().0 - before;
    print_line(what, f64::from(times), cpu);
    f64::from(times) / cpu
}

pub fn print_line(what: &str, times: f64, cpu: f64) {
    println!("{what:<52} {:>12.0} {:>12.3}", times / cpu, cpu / times * 1e3);
}

/// User and system time of this process, and of its children that ended: /proc/self/stat, fields 14 to 17, in ticks of
/// 1/100 s (proc(5)).
pub fn cpu_seconds() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap() / 100.0;
    (ticks(11) + ticks(12), ticks(13) + ticks(14))
}
