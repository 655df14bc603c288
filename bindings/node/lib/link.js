'use strict';

// The native client with what both APIs need of it: configuration, produce, and the way of reports back.

const native = require('./native');
const LibrdKafkaError = require('./error');
const Slots = require('./slots');

const { REPORTS_MAX, RUNS_MAX } = native;

/** Views of the columns into which the addon writes reports; the order is that of columns_t in src/rkafka_node.h. */
function views(buffer) {
  let at = 0;
  const next = (Type, count) => {
    const view = new Type(buffer, at, count);
    at += view.byteLength;
    return view;
  };
  return {
    offset: next(Float64Array, REPORTS_MAX),
    timestamp: next(Float64Array, REPORTS_MAX),
    slot: next(Uint32Array, REPORTS_MAX),
    err: next(Int32Array, REPORTS_MAX),
    size: next(Uint32Array, REPORTS_MAX),
    keyLength: next(Int32Array, REPORTS_MAX),
    valueLength: next(Int32Array, REPORTS_MAX),
    run: next(Int32Array, RUNS_MAX * 3),
  };
}

/** Callbacks of consumers, which programs have in configurations that they share. */
const IGNORED = new Set(['rebalance_cb', 'offset_commit_cb']);

/** Properties as the library takes them: names and texts in turn. */
function pairsOf(...confs) {
  const pairs = [];
  for (const conf of confs) {
    for (const [name, value] of Object.entries(conf || {})) {
      if (value === undefined || value === null || IGNORED.has(name)) continue;
      if (typeof value === 'function') throw new TypeError(`Property ${name} does not take a function`);
      pairs.push(name, String(value));
    }
  }
  return pairs;
}

/** Those that run: a producer goes on though the program keeps nothing but its listeners. */
const running = new Set();

/** An exception of a callback must not keep the reports behind it from being served. */
function throwLater(e) {
  process.nextTick(() => {
    throw e;
  });
}

class Link {
  /**
   * @param {object[]} confs properties; later ones win
   * @param {object} options
   * @param {(err: number, opaque: any, hasOpaque: boolean, report: Link) => void} [options.onReport] is called for each
   *   message that was delivered or has failed; `topic`, `partition` and the rest of the report are read off the link
   *   (see Link#report) and are good until it returns
   * @param {() => void} [options.onServed] is called after reports have been served, when the queue has room again
   * @param {boolean} [options.values] reports bear their messages' values
   * @param {(event: any[]) => void} [options.onEvent] takes all other events; see src/events.c
   */
  constructor(confs, { onReport, onServed, values = false, onEvent }) {
    let mask = 0;
    if (onReport) mask |= native.EVENT_DR;
    if (onEvent) mask |= native.EVENT_LOG | native.EVENT_ERROR | native.EVENT_STATS | native.EVENT_THROTTLE;
    if (onEvent) mask |= native.EVENT_TOKEN_REFRESH;
    this.native = native.client(pairsOf(...confs), mask, values);
    this.wantsReports = !!onReport;
    this.values = values;
    this.onReport = onReport;
    this.onServed = onServed;
    this.failed = 0; // messages that were reported with an error
    this.onEvent = onEvent;
    this.columns = views(this.native.columns);
    this.slots = new Slots();
    this.out = { runs: 0, more: false, bytes: undefined, events: undefined };
    this.topics = new Map();
    this.topicNames = [];
    this.lastTopic = '';
    this.lastIndex = -1;
    this.draining = false;
    this.pollers = 0;
    this.onReadable = () => this.drainSome();
    // The report being served.
    this.at = 0;
    this.topic = '';
    this.partition = -1;
    this.key = null;
    this.value = undefined;
  }

  /** Calls back with an error or the client's name. */
  start(callback) {
    this.native.start((err, name) => {
      if (!err) running.add(this);
      if (!err && this.pollers > 0) this.native.setPolling(this.onReadable);
      callback(err, name);
    });
  }

  /** Ends the producer; what has no report yet gets none. */
  stop(callback) {
    this.topics.clear();
    this.topicNames = [];
    this.lastTopic = '';
    this.lastIndex = -1;
    this.native.stop((err) => {
      this.slots = new Slots();
      running.delete(this);
      callback(err);
    });
  }

  /** While anybody wants it, the event loop serves events as they come. */
  poll(on) {
    this.pollers += on ? 1 : -1;
    if (on && this.pollers === 1) this.native.setPolling(this.onReadable);
    if (!on && this.pollers === 0) this.native.setPolling(null);
  }

  /** For a native call that waits for reports: they are served meanwhile. */
  polling(callback) {
    this.poll(true);
    return (err, result) => {
      this.poll(false);
      callback(err, result);
    };
  }

  topicIndex(topic) {
    let index = this.topics.get(topic);
    if (index === undefined) {
      index = this.native.topic(topic);
      if (index < 0) return index;
      this.topics.set(topic, index);
      this.topicNames[index] = topic;
    }
    this.lastTopic = topic;
    this.lastIndex = index;
    return index;
  }

  /**
   * 0 if the message was accepted, else an error code. `opaque` undefined is none; `headers` are names and values in
   * turn, or undefined.
   */
  produce(topic, partition, value, key, timestamp, opaque, headers) {
    const index = topic === this.lastTopic ? this.lastIndex : this.topicIndex(topic);
    if (index < 0) return index;
    const slot = opaque !== undefined && this.wantsReports ? this.slots.put(opaque) : 0;
    let err;
    try {
      err = this.native.produce(index, partition, value, key, timestamp, slot, headers);
    } catch (e) {
      if (slot !== 0) this.slots.take(slot);
      throw e;
    }
    if (err === undefined) return 0;
    if (slot !== 0) this.slots.take(slot);
    return err;
  }

  /** Serves all events that are there, and tells how many reports there were. */
  drain() {
    let total = 0;
    if (this.draining) return 0;
    do {
      total += this.drainOnce();
    } while (this.out.more);
    return total;
  }

  /** As drain, but lets the event loop go on in between. */
  drainSome() {
    if (this.draining) return;
    this.drainOnce();
    if (this.out.more) setImmediate(this.onReadable);
  }

  drainOnce() {
    const { out } = this;
    const count = this.native.drain(out);
    this.draining = true;
    try {
      if (count > 0) this.serveReports(out);
      if (out.events !== undefined) this.serveEvents(out.events);
    } finally {
      out.bytes = undefined;
      out.events = undefined;
      this.draining = false;
    }
    if (count > 0 && this.onServed) this.onServed();
    return count;
  }

  serveEvents(events) {
    for (const event of events) {
      try {
        this.onEvent(event);
      } catch (e) {
        throwLater(e);
      }
    }
  }

  serveReports({ runs, bytes }) {
    const { run, err, slot, keyLength, valueLength } = this.columns;
    const { onReport, values } = this;
    let at = 0;
    let byte = 0;
    for (let r = 0; r < runs; r++) {
      this.topic = this.topicNames[run[r * 3]];
      this.partition = run[r * 3 + 1];
      const end = at + run[r * 3 + 2];
      for (; at < end; at++) {
        let length = keyLength[at];
        this.key = null;
        if (length >= 0) {
          this.key = length === 0 ? Buffer.alloc(0) : bytes.subarray(byte, byte + length);
          byte += length;
        }
        if (values) {
          length = valueLength[at];
          this.value = length > 0 ? bytes.subarray(byte, byte + length) : length === 0 ? Buffer.alloc(0) : null;
          if (length > 0) byte += length;
        }
        this.at = at;
        const number = slot[at];
        if (err[at] !== 0) this.failed++;
        try {
          onReport(err[at], number === 0 ? undefined : this.slots.take(number), number !== 0, this);
        } catch (e) {
          throwLater(e);
        }
      }
    }
  }

  /** The offset of the report being served; negative if the message has none. */
  get offset() {
    return this.columns.offset[this.at];
  }

  get timestamp() {
    return this.columns.timestamp[this.at];
  }

  get size() {
    return this.columns.size[this.at];
  }
}

Link.error = (err) => (err ? LibrdKafkaError.create(err) : null);
Link.pairsOf = pairsOf;

module.exports = Link;
