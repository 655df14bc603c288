'use strict';

const { errorOf } = require('./errors');

/** A native call with a callback at its end as a promise. */
module.exports = (call) =>
  new Promise((resolve, reject) => {
    call((err, value) => (err ? reject(errorOf(err)) : resolve(value)));
  });
