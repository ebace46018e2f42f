//! One workload side by side: Apache, ours and the probe in turn, round after round, and the verdict.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::report::Row;
use super::server::{Awake, ProbeServer};
use super::{Plan, STEAL_MAX_PERCENT};
use crate::measure::{self, Figures, Run, Target, Terms};
use crate::numbers::{median, short};
use crate::plot::{self, Chart, Curve};
use crate::process::{Disturbance, Machine};
use crate::progress::Progress;
use crate::workload::{Bar, Measure, Workload};

/// One round.
#[derive(Clone, Debug, Serialize)]
struct Round {
    apache: Figures,
    ours: Figures,
    limit: Figures,
    disturbance: Disturbance,
    kept: bool,
}

impl Round {
    /// Ours divided by what the measure compares with.
    fn ratio(&self, measure: Measure) -> f64 {
        let cpu = |figures: &Figures| figures.cpu_us.unwrap_or(f64::NAN);
        match measure {
            Measure::OpsOfJava => self.ours.ops_per_second / self.apache.ops_per_second,
            Measure::CpuOfJava => cpu(&self.ours) / cpu(&self.apache),
            Measure::P50OfJava => self.ours.p50_us / self.apache.p50_us,
            Measure::OpsOfLimit => self.ours.ops_per_second / self.limit.ops_per_second,
            Measure::CpuOfLimit => cpu(&self.ours) / cpu(&self.limit),
            Measure::P50OfLimit => self.ours.p50_us / self.limit.p50_us,
        }
    }
}

/// Runs all rounds of a workload and draws its plot.
pub(crate) fn compare(workload: &Workload, apache: &Target, ours: &Target, plan: &Plan) -> Result<Row> {
    let probe = ProbeServer::start(workload, &plan.work.join("probe"))?;
    let awake = Awake::start(workload.depth == 1)?;
    let progress = Progress::new(workload.id);
    let limit = probe.target();
    let sides = [apache, ours, &limit];
    // The whole warm-up of the JVM, under this very workload.
    let warming = Terms { target: apache, warm: plan.java_warm, run: plan.warm, rate: None, threads: 1 };
    measure::run(workload, &warming, &progress)?;

    let mut taking_part: Vec<u32> = sides.iter().flat_map(|side| side.pids.clone()).collect();
    taking_part.push(std::process::id());
    taking_part.extend(awake.pids());
    let mut rounds = Vec::new();
    let mut last = None;
    while rounds.iter().filter(|round: &&Round| round.kept).count() < plan.rounds
        && rounds.len() < 2 * plan.rounds
    {
        let machine = Machine::take()?;
        let [first, second, third] = sides.map(|target| {
            let terms = Terms { target, warm: plan.warm, run: plan.run, rate: None, threads: 1 };
            measure::run(workload, &terms, &progress)
        });
        let runs = [first?, second?, third?];
        let disturbance = machine.disturbance(&taking_part)?;
        let kept = disturbance.steal_percent <= STEAL_MAX_PERCENT
            && disturbance.foreign_percent <= plan.foreign_max_percent;
        let [apache, ours, limit] = [0, 1, 2].map(|side: usize| runs[side].figures.clone());
        rounds.push(Round { apache, ours, limit, disturbance, kept });
        last = Some(runs);
    }
    drop(progress);
    if let Some(runs) = &last {
        draw(workload, runs, &plan.out_dir().join("plots"))?;
    }
    Ok(row(workload, &rounds))
}

/// The table's line. When too few rounds were quiet, all count and the verdict says so.
fn row(workload: &Workload, rounds: &[Round]) -> Row {
    let quiet: Vec<&Round> = rounds.iter().filter(|round| round.kept).collect();
    let disturbed = quiet.len() * 2 < rounds.len() || quiet.is_empty();
    let used = if disturbed { rounds.iter().collect() } else { quiet };
    let ratio = |measure| median(used.iter().map(|round| round.ratio(measure)));
    let cell = |side: fn(&Round) -> &Figures| {
        let middle = |value: fn(&Figures) -> f64| short(median(used.iter().map(|round| value(side(round)))));
        let cpu = middle(|figures| figures.cpu_us.unwrap_or(f64::NAN));
        let [ops, p50, p99] = [
            middle(|figures| figures.ops_per_second),
            middle(|figures| figures.p50_us),
            middle(|figures| figures.p99_us),
        ];
        let failed = used.iter().flat_map(|round| &side(round).errors).map(|(_, count)| count).sum::<u64>();
        let failed = if failed == 0 { String::new() } else { format!(", **{failed} failed**") };
        format!("{ops}/s, {cpu} us, p50 {p50} us, p99 {p99} us{failed}")
    };
    let failures = used.iter().any(|round| !round.ours.errors.is_empty());
    let mut verdict = verdict(workload.bars, ratio);
    if failures {
        verdict = "MISSED: requests failed".to_owned();
    }
    if disturbed {
        verdict.push_str(" (machine not quiet)");
    }
    Row {
        id: workload.id.to_owned(),
        what: format!("{}, {}x{}", workload.what, workload.conns, workload.depth),
        must: bars(workload.bars, |bar| bar.must),
        aim: bars(workload.bars, |bar| bar.aim),
        apache: cell(|round| &round.apache),
        ours: cell(|round| &round.ours),
        limit: format!("{}: {}", workload.limit.id(), cell(|round| &round.limit)),
        ratio: format!(
            "{}x op/s, 1/{} CPU, {} x p50",
            short(ratio(Measure::OpsOfJava)),
            short(1.0 / ratio(Measure::CpuOfJava)),
            short(ratio(Measure::P50OfJava))
        ),
        of_limit: format!(
            "{:.0} % op/s, {} x CPU, {} x p50",
            100.0 * ratio(Measure::OpsOfLimit),
            short(ratio(Measure::CpuOfLimit)),
            short(ratio(Measure::P50OfLimit))
        ),
        verdict,
        raw: serde_json::to_value(rounds).unwrap_or_default(),
    }
}

/// `aim`, `must`, or which bar was missed by how much.
fn verdict(bars: &[Bar], ratio: impl Fn(Measure) -> f64) -> String {
    let reached = |bar: &Bar, wanted: Option<f64>| {
        let got = ratio(bar.measure);
        wanted.is_none_or(|wanted| if bar.measure.rises() { got >= wanted } else { got <= wanted })
    };
    let missed: Vec<String> = bars
        .iter()
        .filter(|bar| !reached(bar, bar.must))
        .map(|bar| format!("{} is {}", name(bar.measure), quantity(bar.measure, ratio(bar.measure))))
        .collect();
    if !missed.is_empty() {
        return format!("MISSED: {}", missed.join(", "));
    }
    let all_aims = bars.iter().all(|bar| reached(bar, bar.aim));
    (if all_aims { "aim" } else { "must" }).to_owned()
}

/// The bars as text, such as `op/s ≥ 10x; CPU ≤ 1/15`; without the zeros that only measured values need.
fn bars(bars: &[Bar], wanted: fn(&Bar) -> Option<f64>) -> String {
    let text = |bar: &Bar| {
        let sign = if bar.measure.rises() { "≥" } else { "≤" };
        wanted(bar).map(|value| {
            let quantity =
                quantity(bar.measure, value).replace(".00", "").replace(".0x", "x").replace("0 x", " x");
            format!("{} {sign} {}", name(bar.measure), quantity.trim_end_matches(".0"))
        })
    };
    bars.iter().filter_map(text).collect::<Vec<_>>().join("; ")
}

fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::OpsOfJava | Measure::OpsOfLimit => "op/s",
        Measure::CpuOfJava | Measure::CpuOfLimit => "CPU",
        Measure::P50OfJava | Measure::P50OfLimit => "p50",
    }
}

fn quantity(measure: Measure, value: f64) -> String {
    match measure {
        Measure::OpsOfJava | Measure::P50OfJava => format!("{}x", short(value)),
        Measure::CpuOfJava => format!("1/{}", short(1.0 / value)),
        Measure::OpsOfLimit => format!("{:.0} % of the limit", 100.0 * value),
        Measure::CpuOfLimit | Measure::P50OfLimit => format!("{} x the limit", short(value)),
    }
}

/// The plot of the last round: all three sides in one picture.
fn draw(workload: &Workload, runs: &[Run; 3], dir: &Path) -> Result<()> {
    let names = ["Apache", "ours", workload.limit.id()];
    let over_time = |run: &Run| measure::timeline(&run.outcome).iter().map(|row| (row[0], row[1])).collect();
    let sides = || names.iter().zip(runs);
    let latency = sides().map(|(name, run)| plot::percentiles(name, &run.outcome.total())).collect();
    let ops = sides().map(|(name, run)| Curve { name: (*name).to_owned(), points: over_time(run) }).collect();
    let title = format!("{}: {}, {}x{}", workload.id, workload.what, workload.conns, workload.depth);
    plot::write(
        &dir.join(format!("{}.svg", workload.id)),
        &Chart { title: &title, x: "percent of requests", y: "latency, us", curves: latency },
        &Chart { title: "", x: "seconds", y: "requests per second", curves: ops },
    )
}

/// How long a plan's rounds take at least, without opening sessions.
pub(crate) fn least_duration(plan: &Plan) -> Duration {
    let sides = u32::try_from(3 * plan.rounds).unwrap_or(u32::MAX);
    plan.java_warm + (plan.warm + plan.run) * sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_what_was_missed() {
        let bars = [
            Bar { measure: Measure::OpsOfJava, must: Some(10.0), aim: Some(20.0) },
            Bar { measure: Measure::CpuOfJava, must: Some(0.1), aim: None },
        ];
        let with = |ops: f64, cpu: f64| {
            verdict(&bars, move |measure| if measure == Measure::OpsOfJava { ops } else { cpu })
        };
        assert_eq!(with(25.0, 0.05), "aim");
        assert_eq!(with(12.0, 0.05), "must");
        assert_eq!(with(12.0, 0.2), "MISSED: CPU is 1/5.00");
        assert_eq!(with(f64::NAN, 0.05), "MISSED: op/s is -x");
    }
}
