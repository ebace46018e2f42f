//! Curves as SVG: latency by percentile, and requests per second over time.

use std::path::Path;

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use plotters::prelude::*;

/// One named series of points.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What is drawn and how the axes are called.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) curves: Vec<Curve>,
}

const COLOURS: [RGBColor; 4] =
    [RGBColor(192, 57, 43), RGBColor(31, 97, 141), RGBColor(110, 110, 110), RGBColor(30, 132, 73)];
const SIZE: (u32, u32) = (900, 420);

/// Latency in us against the number of nines: 0 is everything, 1 is 90 %, 3 is 99.9 %.
pub(crate) fn percentiles(name: &str, total: &Histogram<u64>) -> Curve {
    let point = |step: i32| {
        let nines = f64::from(step) / 20.0;
        let quantile = 1.0 - 10_f64.powf(-nines);
        (nines, total.value_at_quantile(quantile) as f64 / 1e3)
    };
    // No further than there are requests to tell apart.
    let most = (total.len() as f64).log10().max(0.0);
    let points = (0..=100).map(point).take_while(|&(nines, _)| nines <= most).collect();
    Curve { name: name.to_owned(), points }
}

/// Writes both charts, one above the other, into one file.
pub(crate) fn write(path: &Path, upper: &Chart<'_>, lower: &Chart<'_>) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let root = SVGBackend::new(path, (SIZE.0, 2 * SIZE.1)).into_drawing_area();
    root.fill(&WHITE).map_err(drawing)?;
    let areas = root.split_evenly((2, 1));
    draw(&areas[0], upper, true)?;
    draw(&areas[1], lower, false)?;
    root.present().map_err(drawing)
}

fn drawing<E: std::fmt::Display>(error: E) -> anyhow::Error {
    anyhow!("drawing: {error}")
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    chart: &Chart<'_>,
    logarithmic: bool,
) -> Result<()> {
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let most = |value: fn(&(f64, f64)) -> f64| points().map(value).fold(1e-9, f64::max);
    let (x_max, y_max) = (most(|point| point.0), most(|point| point.1) * 1.1);
    let mut builder = ChartBuilder::on(area);
    builder.caption(chart.title, ("sans-serif", 18)).margin(10).x_label_area_size(36).y_label_area_size(80);
    if logarithmic {
        let y_min = points().map(|point| point.1).filter(|&y| y > 0.0).fold(y_max, f64::min) * 0.8;
        let mut context =
            builder.build_cartesian_2d(0.0..x_max, (y_min..y_max).log_scale()).map_err(drawing)?;
        finish(&mut context, chart, |x| format!("{:.4}", 100.0 * (1.0 - 10_f64.powf(-x))))
    } else {
        let mut context = builder.build_cartesian_2d(0.0..x_max, 0.0..y_max).map_err(drawing)?;
        finish(&mut context, chart, |x| format!("{x:.1}"))
    }
}

fn finish<'a, Y>(
    context: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<plotters::coord::types::RangedCoordf64, Y>>,
    chart: &Chart<'_>,
    x_label: impl Fn(f64) -> String,
) -> Result<()>
where
    Y: Ranged<ValueType = f64> + plotters::coord::ranged1d::ValueFormatter<f64>,
{
    let label = |x: &f64| x_label(*x);
    context
        .configure_mesh()
        .x_desc(chart.x)
        .y_desc(chart.y)
        .x_label_formatter(&label)
        .y_label_formatter(&|y| crate::numbers::short(*y))
        .light_line_style(WHITE)
        .draw()
        .map_err(drawing)?;
    for (index, curve) in chart.curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
        context
            .draw_series(line)
            .map_err(drawing)?
            .label(curve.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    context.configure_series_labels().border_style(BLACK).background_style(WHITE).draw().map_err(drawing)
}
