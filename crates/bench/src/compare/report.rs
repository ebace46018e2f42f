//! The table that people read, and the raw figures beside it.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::Plan;

/// One line of the table, ready to print.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) must: String,
    pub(crate) aim: String,
    pub(crate) apache: String,
    pub(crate) ours: String,
    pub(crate) limit: String,
    pub(crate) ratio: String,
    pub(crate) of_limit: String,
    pub(crate) verdict: String,
    /// Everything measured, round by round.
    pub(crate) raw: Value,
}

impl Row {
    /// One line for the terminal.
    pub(crate) fn summary(&self) -> String {
        format!("{} | {} | {} | {} | {}", self.apache, self.ours, self.limit, self.ratio, self.verdict)
    }
}

/// A measured value held against absolute bars, lower being better.
pub(crate) fn at_most(value: f64, must: f64, aim: Option<f64>) -> String {
    match aim {
        Some(aim) if value <= aim => "aim".to_owned(),
        None if value <= must => "aim".to_owned(),
        _ if value <= must => "must".to_owned(),
        _ => format!("MISSED: {}", crate::numbers::short(value)),
    }
}

/// A measured value held against absolute bars, higher being better.
pub(crate) fn at_least(value: f64, must: f64, aim: Option<f64>) -> String {
    match aim {
        Some(aim) if value >= aim => "aim".to_owned(),
        None if value >= must => "aim".to_owned(),
        _ if value >= must => "must".to_owned(),
        _ => format!("MISSED: {}", crate::numbers::short(value)),
    }
}

/// Writes the table and, beside it, the JSON of the same name.
pub(crate) fn write(plan: &Plan, rows: &[Row], notes: &[String]) -> Result<()> {
    fs::create_dir_all(plan.out_dir())?;
    let machine = machine(plan);
    let json = plan.json();
    let raw_name = json.file_name().unwrap_or_default().to_string_lossy();
    let mut text = String::new();
    writeln!(text, "# Results\n\nWritten by `{}`; raw figures in [{raw_name}]({raw_name}).\n", plan.command)?;
    for (name, value) in &machine {
        writeln!(text, "- {name}: {value}")?;
    }
    writeln!(
        text,
        "\nApache, ours and the limit probe take turns in every round; figures are medians over the quiet"
    )?;
    writeln!(
        text,
        "rounds, ratios are medians of the ratios per round. CPU is the server's, user and system, per"
    )?;
    writeln!(text, "request. The generator is one thread on the same CPUs. Plots: [plots](plots).\n")?;
    text.push_str(
        "| id | workload | must | aim | Apache | ours | probe | ratio | of the limit | verdict |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let cells = [
            &row.id,
            &row.what,
            &row.must,
            &row.aim,
            &row.apache,
            &row.ours,
            &row.limit,
            &row.ratio,
            &row.of_limit,
            &row.verdict,
        ];
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(text, "| {} |", cells.join(" | "))?;
    }
    text.push_str("\n## Notes\n\n");
    for note in notes {
        writeln!(text, "- {note}")?;
    }
    fs::write(&plan.out, text)?;
    let machine: serde_json::Map<_, _> =
        machine.into_iter().map(|(name, value)| (name, value.into())).collect();
    let raw =
        serde_json::json!({ "command": plan.command, "machine": machine, "rows": rows, "notes": notes });
    fs::write(json, serde_json::to_string_pretty(&raw)?)?;
    Ok(())
}

/// What the figures depend on.
fn machine(plan: &Plan) -> Vec<(String, String)> {
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        let output = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().next().unwrap_or("unknown").to_owned()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().unwrap_or_default().replace("MemTotal:", "");
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let work = plan.work.to_string_lossy();
    let file_system = first_line("findmnt", &["-n", "-o", "FSTYPE,SOURCE", "-T", &work]);
    let row = |name: &str, value: String| (name.to_owned(), value);
    vec![
        row("date", first_line("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        row("machine", format!("{model}, {cpus} CPUs, {}", memory.trim())),
        row("kernel", first_line("uname", &["-sr"])),
        row("file system", file_system),
        row("Java", first_line("java", &["-version"])),
        row("Apache", format!("{}; {}", plan.apache_version(), plan.apache_settings())),
        row(
            "rounds",
            format!(
                "{} of {} s, JVM warmed {} s under each workload",
                plan.rounds,
                plan.run.as_secs_f64(),
                plan.java_warm.as_secs_f64()
            ),
        ),
    ]
}
