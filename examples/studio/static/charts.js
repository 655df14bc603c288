// The charts, by uPlot. Each has one series per run, or two where a second value goes with it.
"use strict";

const COLOURS = { A: "#1f6feb", B: "#d9730d" };

function chartSize(id) {
  return { width: Math.max(document.getElementById(id).clientWidth, 200), height: 150 };
}

// A chart over time: `keys` are fields of a sample, drawn solid and dashed.
class LineChart {
  constructor(id, keys) {
    this.id = id;
    this.keys = keys;
    this.samples = { A: [], B: [] };
    const series = [{}];
    for (const run of ["A", "B"]) {
      keys.forEach((key, i) => series.push({
        label: `${run} ${key}`, stroke: COLOURS[run], width: 1.5, dash: i ? [5, 4] : undefined, spanGaps: true,
        points: { show: false },
      }));
    }
    this.plot = new uPlot({
      ...chartSize(id), series, legend: { show: false }, cursor: { y: false },
      scales: { x: { time: false }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ values: (u, v) => v.map((x) => `${x} s`), size: 28 }, { size: 58, values: (u, v) => v.map(short) }],
    }, [[]].concat(series.slice(1).map(() => [])), document.getElementById(id));
  }

  clear() { this.samples = { A: [], B: [] }; this.draw(); }

  add(run, sample) { this.samples[run].push(sample); this.draw(); }

  draw() {
    const tables = [];
    for (const run of ["A", "B"]) {
      const all = this.samples[run];
      tables.push([all.map((s) => s.t_ms / 1000), ...this.keys.map((k) => all.map((s) => s[k]))]);
    }
    this.plot.setData(uPlot.join(tables));
  }

  resize() { this.plot.setSize(chartSize(this.id)); }
}

// Messages by partition, a bar for each run.
class BarChart {
  constructor(id) {
    this.id = id;
    this.counts = { A: {}, B: {} };
    const bars = (align) => uPlot.paths.bars({ size: [0.4, 60], align });
    this.plot = new uPlot({
      ...chartSize(id), legend: { show: false }, cursor: { show: false },
      series: [{}, { stroke: COLOURS.A, fill: COLOURS.A + "99", paths: bars(-1), points: { show: false } },
        { stroke: COLOURS.B, fill: COLOURS.B + "99", paths: bars(1), points: { show: false } }],
      scales: { x: { time: false, range: (u, low, high) => [low - 0.7, high + 0.7] }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ size: 28, incrs: [1, 2, 5, 10, 20, 50, 100] }, { size: 58, values: (u, v) => v.map(short) }],
    }, [[], [], []], document.getElementById(id));
  }

  clear() { this.counts = { A: {}, B: {} }; this.draw(); }

  set(run, counts) { this.counts[run] = counts; this.draw(); }

  draw() {
    const highest = Math.max(-1, ...Object.keys(this.counts.A).map(Number), ...Object.keys(this.counts.B).map(Number));
    const all = Array.from({ length: highest + 1 }, (_, i) => i);
    this.plot.setData([all, all.map((p) => this.counts.A[p] ?? 0), all.map((p) => this.counts.B[p] ?? null)]);
  }

  resize() { this.plot.setSize(chartSize(this.id)); }
}

function short(n) {
  if (n === null || n === undefined) return "–";
  const abs = Math.abs(n);
  if (abs >= 1e6) return `${+(n / 1e6).toPrecision(3)}M`;
  if (abs >= 1e4) return `${+(n / 1e3).toPrecision(3)}k`;
  return String(+n.toPrecision(4));
}
