// Cases of one file: test(NAME, BODY) registers, and all run once the file was read, several at a time, since each has devices of its own.
// BODY gets a context: after(FN) cleans up, deadline in ms. Output is `ok NAME` / `not ok NAME: why`.
'use strict';

const AT_ONCE = 6;
const DEADLINE_MS = 25000;

const cases = [];
let failures = 0;

function test(name, body, { deadline = DEADLINE_MS, alone = false } = {}) {
    cases.push({ name, body, deadline, alone });
}

// What went wrong and where in the test.
function oneLine(error) {
    const where = /test_\w+\.js:\d+/.exec(error.stack || '');
    return `${String(error)}${where ? ` (${where[0]})` : ''}`.replace(/\s+/g, ' ').slice(0, 600);
}

function report(name, error) {
    console.log(error ? `not ok ${name}: ${oneLine(error)}` : `ok ${name}`);
    failures += error ? 1 : 0;
}

// Rejects with WHAT unless PROMISE settles in time.
function within(ms, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function runCase(c) {
    const cleanups = [];
    const context = { after: (fn) => cleanups.unshift(fn) };
    let failure = null;

    try {
        await within(c.deadline, 'the case', c.body(context));
    } catch (error) {
        failure = error || new Error('rejected without a reason');
    }
    for (const cleanup of cleanups) {
        // What a client says while it is closed after its hub threw it out is of no interest.
        await within(3000, 'cleaning up', Promise.resolve().then(cleanup)).catch(() => {});
    }
    report(c.name, failure);
}

async function runAll() {
    const together = cases.filter((c) => !c.alone);
    const lane = async () => {
        while (together.length > 0) {
            await runCase(together.shift());
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    for (const c of cases.filter((c) => c.alone)) {
        await runCase(c);
    }
    process.exit(failures > 0 ? 1 : 0);
}

process.on('uncaughtException', (error) => report('no exception outside of the cases', error));
process.on('unhandledRejection', (error) => report('no rejection outside of the cases', error));
setImmediate(runAll);

// The next EVENT of EMITTER: its first argument, or all of them where there are several.
function event(emitter, name, ms = 10000) {
    const seen = new Promise((resolve) => {
        emitter.once(name, (...args) => resolve(args.length > 1 ? args : args[0]));
    });
    return within(ms, `event ${name}`, seen);
}

// For what has no event: asks PROBE until it gives something true.
async function until(what, probe, ms = 10000) {
    const end = Date.now() + ms;
    for (;;) {
        const value = await probe();
        if (value) {
            return value;
        }
        if (Date.now() > end) {
            throw new Error(`${what}: not within ${ms} ms`);
        }
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
}

module.exports = { test, within, event, until };
