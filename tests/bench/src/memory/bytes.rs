//! What a key costs in memory: what a process grows by.

use limitra::Algorithm;

use crate::keys::key;
use crate::limiters::Allowance;
use crate::pass::at_once;
use crate::program::Program;
use crate::rounds::Rounds;
use crate::row::{BYTES, Name};
use crate::scale::Scale;

/// What this program is called with to fill one subject.
pub(crate) const ARGUMENT: &str = "one-filled";

const WIDTHS: [usize; 2] = [12, 200];
const PEERS: [(&str, usize); 3] = [("governor", 1), ("throttlecrab", 1), ("limitador", 10)];

pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, program: &'a Program) {
    let count = scale.keys(1_000_000);
    let mut case = |case: String, name: &str, subject: &str, count: usize, width: usize| {
        let arguments = [ARGUMENT.to_owned(), subject.to_owned(), count.to_string(), width.to_string()];
        let name = Name::new(case, name);
        rounds.add(name, &[BYTES], move || vec![program.number(&arguments)]);
    };
    for width in WIDTHS {
        let title = format!("1,000,000 keys of {width} bytes");
        case(title.clone(), "limitra", "gcra", count, width);
        for (peer, share) in PEERS {
            let name = if share == 1 { peer.to_owned() } else { format!("{peer}, 100,000 keys") };
            case(title.clone(), &name, peer, count / share, width);
        }
    }
    for algorithm in Algorithm::ALL {
        case(format!("one hit each, {algorithm}"), "limitra", algorithm.name(), count, 12);
    }
}

/// Fills a subject in this process and says by how many bytes for each key it grew.
pub(crate) fn print(arguments: &[String]) -> Option<()> {
    let [subject, count, width] = arguments else { return None };
    let (count, width): (usize, usize) = (count.parse().ok()?, width.parse().ok()?);
    let keys = || (0..count as u64).map(move |number| key(number, width));
    // What is used once is no part of a key's cost.
    let algorithm = Algorithm::ALL.iter().find(|algorithm| algorithm.name() == subject);
    let before;
    let after;
    if let Some(algorithm) = algorithm {
        let limitra = Allowance::Hourly.limitra(*algorithm, count);
        at_once(limitra.check("warm")).ok()?;
        before = resident();
        keys().for_each(|key| assert!(at_once(limitra.allow_request(&key)).unwrap()));
        after = resident();
    } else if subject == "governor" {
        let governor = Allowance::Hourly.governor_by_key::<String>();
        before = resident();
        keys().for_each(|key| assert!(governor.check_key(&key).is_ok()));
        after = resident();
    } else if subject == "throttlecrab" {
        before = resident();
        let mut throttlecrab = Allowance::Hourly.throttlecrab(count);
        keys().for_each(|key| assert!(throttlecrab.allows(&key)));
        after = resident();
    } else {
        let limitador = Allowance::Hourly.limitador(count * 2);
        assert!(limitador.allows("warm"));
        before = resident();
        keys().for_each(|key| assert!(limitador.allows(&key)));
        after = resident();
    }
    println!("{}", (after - before) / count as f64);
    Some(())
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap_or_default();
    let kibibytes = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    kibibytes.expect("this system does not say how much memory a process uses") * 1024.0
}
