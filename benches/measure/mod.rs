//! CPU time of this process and of those it waited for, as the system counts it; and a large file to spend it on.
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

/// A scan: one picture that does not compress on each page.
pub fn scanned(pages: usize, bytes_each: usize) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = vec![0; 3 + pages * 3];
    let mut write = |out: &mut Vec<u8>, number: usize, head: &str, data: Option<&[u8]>| {
        offsets[number] = out.len();
        out.extend(format!("{number} 0 obj\n{head}\n").bytes());
        if let Some(data) = data {
            out.extend_from_slice(b"stream\n");
            out.extend_from_slice(data);
            out.extend_from_slice(b"\nendstream\n");
        }
        out.extend_from_slice(b"endobj\n");
    };
    let kids: String = (0..pages).map(|n| format!("{} 0 R ", 3 + n * 3)).collect();
    write(&mut out, 1, "<</Type/Catalog/Pages 2 0 R>>", None);
    write(&mut out, 2, &format!("<</Type/Pages/Kids[{kids}]/Count {pages}/MediaBox[0 0 595 842]>>"), None);
    let mut state = 1u64;
    for n in 0..pages {
        let (page, content, picture) = (3 + n * 3, 4 + n * 3, 5 + n * 3);
        let resources = format!("/Resources<</XObject<</I {picture} 0 R>>>>");
        write(&mut out, page, &format!("<</Type/Page/Parent 2 0 R/Contents {content} 0 R{resources}>>"), None);
        write(&mut out, content, "<</Length 28>>", Some(b"q 595 0 0 842 0 0 cm /I Do Q"));
        let data: Vec<u8> = (0..bytes_each)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        let head = format!(
            "<</Type/XObject/Subtype/Image/Width 1000/Height {}/ColorSpace/DeviceGray/BitsPerComponent 8/Length {}>>",
            bytes_each / 1000,
            data.len()
        );
        write(&mut out, picture, &head, Some(&data));
    }
    let at = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len()).bytes());
    for offset in &offsets[1..] {
        out.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    out.extend(format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n", offsets.len()).bytes());
    out
}
