'use strict';

/**
 * What goes with messages that are under way, by a number that the library carries along: so a report finds its opaque
 * value without any reference being held by native code. Number 0 is none.
 */
class Slots {
  constructor() {
    this.values = [undefined];
    this.free = [];
  }

  put(value) {
    const slot = this.free.length > 0 ? this.free.pop() : this.values.length;
    this.values[slot] = value;
    return slot;
  }

  take(slot) {
    const value = this.values[slot];
    this.values[slot] = undefined;
    this.free.push(slot);
    return value;
  }

  get used() {
    return this.values.length - 1 - this.free.length;
  }
}

module.exports = Slots;
