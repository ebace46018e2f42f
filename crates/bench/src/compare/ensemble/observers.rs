//! OBS: what observers add to the cost of a write.

use anyhow::{Context, Result};
use serde_json::json;

use super::members::Ensemble;
use crate::compare::Plan;
use crate::compare::report::{Row, at_most};
use crate::measure::{self, Figures, Terms};
use crate::numbers::{median, short};
use crate::progress::Progress;
use crate::workload::{Via, Workload};

/// How many observe.
pub(crate) const COUNTS: [usize; 3] = [0, 3, 10];

/// Median op/s and CPU in us of all members for one write, for each of [`COUNTS`].
type Curve = Vec<(f64, f64)>;

/// The line. Both ensembles list as many observers as will be started.
pub(crate) fn compare(apache: &mut Ensemble, ours: &mut Ensemble, plan: &Plan) -> Result<Row> {
    let workload = Workload::find("E-W3").context("a workload of the table")?;
    let progress = Progress::new("OBS");
    let (mut java, mut own) = (Curve::new(), Curve::new());
    for count in COUNTS {
        apache.observe(count)?;
        ours.observe(count)?;
        let targets = [apache.target(Via::All)?, ours.target(Via::All)?];
        let warm =
            Terms { target: &targets[0], warm: plan.java_warm, run: plan.warm, rate: None, threads: 1 };
        measure::run(workload, &warm, &progress)?;
        let mut rounds: [Vec<Figures>; 2] = Default::default();
        for _ in 0..plan.rounds {
            for (target, rounds) in targets.iter().zip(&mut rounds) {
                let terms = Terms { target, warm: plan.warm, run: plan.run, rate: None, threads: 1 };
                rounds.push(measure::run(workload, &terms, &progress)?.figures);
            }
        }
        let [apache, ours] = rounds.map(|rounds| {
            let cpu = |figures: &Figures| figures.cpu_us.unwrap_or(f64::NAN);
            (median(rounds.iter().map(|figures| figures.ops_per_second)), median(rounds.iter().map(cpu)))
        });
        java.push(apache);
        own.push(ours);
    }
    let (java_slope, own_slope) = (slope(&java), slope(&own));
    Ok(Row {
        id: "OBS".to_owned(),
        what: "E-W3 with 0, 3, 10 observers: CPU that each adds to a write".to_owned(),
        must: "≤ 1/5".to_owned(),
        apache: cell(&java, java_slope),
        ours: cell(&own, own_slope),
        ratio: format!("1/{}", short(java_slope / own_slope)),
        verdict: at_most(own_slope / java_slope, 0.2, None),
        raw: json!({ "observers": COUNTS, "apache_ops_cpu_us": java, "ours_ops_cpu_us": own }),
        ..Row::default()
    })
}

fn cell(curve: &Curve, slope: f64) -> String {
    let points = curve.iter().map(|&(ops, cpu)| format!("{}/s, {} us", short(ops), short(cpu)));
    format!("{} us each ({})", short(slope), points.collect::<Vec<_>>().join("; "))
}

/// The rise of the straight line that fits best, in us for each observer.
fn slope(curve: &Curve) -> f64 {
    let points: Vec<(f64, f64)> = COUNTS.iter().zip(curve).map(|(&n, &(_, cpu))| (n as f64, cpu)).collect();
    let count = points.len() as f64;
    let mean_n = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_cpu = points.iter().map(|point| point.1).sum::<f64>() / count;
    let both: f64 = points.iter().map(|point| (point.0 - mean_n) * (point.1 - mean_cpu)).sum();
    both / points.iter().map(|point| (point.0 - mean_n).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_straight_line_has_its_slope() {
        let line = vec![(0.0, 5.0), (0.0, 11.0), (0.0, 25.0)];
        assert!((slope(&line) - 2.0).abs() < 1e-9);
    }
}
