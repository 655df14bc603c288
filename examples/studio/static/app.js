// The page: sends, listens to server-sent events, draws.
"use strict";

const $ = (id) => document.getElementById(id);
const state = { editors: {}, runs: {} };

function row(table, id, cells) {
  const body = document.querySelector(`${table} tbody`);
  let tr = body.querySelector(`tr[data-id="${id}"]`);
  if (!tr) {
    tr = document.createElement("tr");
    tr.dataset.id = id;
    body.append(tr);
  }
  tr.replaceChildren(...cells.map((c) => {
    const td = document.createElement("td");
    if (c instanceof Node) td.append(c); else td.textContent = c;
    return td;
  }));
  return tr;
}

function makeCharts() {
  state.lines = [new LineChart("chart-rate", ["msgs_per_sec"]), new LineChart("chart-latency", ["latency_p50_ms", "latency_p99_ms"]),
    new LineChart("chart-batch", ["batch_bytes"]), new LineChart("chart-compression", ["compression_ratio"]),
    new LineChart("chart-errors", ["retries", "errors"])];
  state.bars = new BarChart("chart-partitions");
  window.addEventListener("resize", () => [...state.lines, state.bars].forEach((c) => c.resize()));
}

function onSample(e) {
  const run = e.label || "A", s = e.sample;
  state.runs[run] = s;
  for (const chart of state.lines) chart.add(run, s);
  state.bars.set(run, e.partitions);
  summary(run, s.msgs_per_sec, s.delivered, s.failed, s.retries, Object.keys(e.partitions).length, s.t_ms);
  for (const b of s.brokers) {
    const tr = row("#brokers", `${run}-${b.id}`, [run, b.name, b.state, short(b.requests), `${b.rtt_ms} ms`, b.in_flight, b.queued, b.retries, b.errors]);
    tr.children[2].className = b.state === "UP" ? "state-up" : "state-down";
  }
}

function summary(run, rate, delivered, failed, retries, partitions, ms) {
  const s = state.runs[run] || {};
  const latency = (v) => (v === null || v === undefined ? "–" : `${short(v)} ms`);
  row("#summary", run, [run, short(rate), short(delivered), failed, retries, latency(s.latency_p50_ms), latency(s.latency_p99_ms),
    `${short(s.batch_bytes)} B / ${short(s.batch_records)}`, s.compression_ratio ? `${Math.round(s.compression_ratio * 100)} %` : "–",
    partitions, `${(ms / 1000).toFixed(1)} s`]);
}

function onEnd(e) {
  const r = e.result;
  // What a percentile was at last says more than what it is when nothing goes on.
  summary(e.label || "A", r.msgs_per_sec, r.delivered, r.error_count, r.retries, r.distinct_partitions, r.elapsed_ms);
}

function listen() {
  const source = new EventSource("/api/events");
  source.onopen = () => { $("link").textContent = "live"; $("link").className = "up"; };
  source.onerror = () => { $("link").textContent = "connection lost, trying again"; $("link").className = ""; };
  source.onmessage = (m) => {
    const e = JSON.parse(m.data);
    if (e.type === "sample") onSample(e);
    else if (e.type === "end") onEnd(e);
    else if (e.type === "brokers") faults(e.brokers);
  };
}

async function send() {
  const sides = $("compare").checked ? ["A", "B"] : ["A"];
  $("problem").textContent = "";
  $("send").disabled = true;
  await Promise.all(sides.map((s) => state.editors[s].check()));
  if (sides.some((s) => state.editors[s].wrong)) {
    $("problem").textContent = "The configuration is not valid yet.";
    $("send").disabled = false;
    return;
  }
  for (const chart of [...state.lines, state.bars]) chart.clear();
  for (const table of ["#summary", "#brokers"]) document.querySelector(`${table} tbody`).replaceChildren();
  state.runs = {};
  $("stop").disabled = false;
  const common = { count: +$("count").value, size: +$("size").value, rate: +$("rate").value, topic: $("topic").value,
    keys: $("keys").value, payload: $("payload").value };
  // One after the other, so that they do not take each other's CPU.
  for (const side of sides) {
    const answer = await post("/api/send", { ...common, label: side, config: state.editors[side].config() });
    if (answer.error) $("problem").textContent = `${side}: ${answer.error}`;
    else if (answer.error_count) $("problem").textContent = `${side}: ${answer.error_count} messages failed: ${Object.keys(answer.errors).join(", ")}`;
    if (state.stopped) break;
  }
  state.stopped = false;
  $("send").disabled = false;
  $("stop").disabled = true;
}

async function inject(words) {
  const answer = await post("/api/fault", { command: words[0], arguments: words.slice(1) });
  $("problem").textContent = answer.error || "";
}

function faults(brokers) {
  $("faults").hidden = !brokers;
  for (const b of brokers || []) {
    const button = (text, ...words) => {
      const e = document.createElement("button");
      e.textContent = text;
      e.addEventListener("click", () => inject(words));
      return e;
    };
    const status = document.createElement("span");
    status.textContent = b.down ? "down" : b.delay_ms ? `+${b.delay_ms} ms` : "up";
    status.className = b.down ? "state-down" : "state-up";
    row("#faults", b.id, [`Broker ${b.id}`, status,
      b.down ? button("Start", "up", b.id) : button("Kill", "down", b.id),
      b.delay_ms ? button("No delay", "rtt", b.id, 0) : button("+100 ms", "rtt", b.id, 100), button("Cut", "drop", b.id)]);
  }
}

async function start() {
  const [info, properties] = await Promise.all(["/api/info", "/api/properties"].map(async (p) => (await fetch(p)).json()));
  $("where").textContent = `rkafka ${info.version} on ${info.brokers ? "the embedded broker" : info.bootstrap}`;
  for (const [side, preset] of [["A", "safe default"], ["B", "high throughput"]]) {
    state.editors[side] = new Editor(side, info.presets, properties);
    state.editors[side].usePreset(preset);
  }
  $("compare").addEventListener("change", () => { document.querySelector('.side[data-side="B"]').hidden = !$("compare").checked; });
  $("send").addEventListener("click", send);
  $("stop").addEventListener("click", () => { state.stopped = true; post("/api/stop", {}); });
  for (const b of document.querySelectorAll("[data-fault]")) b.addEventListener("click", () => inject(JSON.parse(b.dataset.fault)));
  faults(info.brokers);
  makeCharts();
  listen();
}

start();
