// Starts a hub of the test's own, then the test beside it, and looks at how both end. Run through tests/support/sdk.sh, which gives it a network.
//   node launch.js TEST.js
'use strict';

const { fork, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const START_MS = 30000;
const STOP_MS = 10000;

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-sdk-'));
const state = path.join(work, 'hub');
const log = path.join(work, 'hub.log');
let hub = null;

function startHub(more = []) {
    return new Promise((resolve, reject) => {
        const args = ['--role', 'cloud', '--dir', state, '--no-registry', '--log', log, '--ready-fd', '3', ...more];
        const child = spawn(path.join(process.env.BERTH_BUILD, 'berth-hub'), args, {
            stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
        });
        const timer = setTimeout(() => reject(new Error('the hub did not get ready')), START_MS);
        let said = '';

        child.on('error', reject);
        child.stdio[3].on('data', (data) => (said += data));
        child.stdio[3].on('end', () => {
            clearTimeout(timer);
            if (said !== 'ready\n') {
                reject(new Error(`the hub said: ${said}`));
                return;
            }
            hub = child;
            resolve();
        });
    });
}

function stopHub(signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(() => hub.kill('SIGKILL'), STOP_MS);
        hub.on('exit', (code, by) => {
            clearTimeout(timer);
            resolve(by || code);
        });
        hub.kill(signal);
    });
}

// Every name under which the sandbox wants to be reached is this machine.
function writeHosts() {
    const record = JSON.parse(fs.readFileSync(path.join(state, 'sandbox.json')));
    const names = new Set([record.host, record.dps && record.dps.host, ...(record.hubs || [])].filter(Boolean));

    fs.writeFileSync('/etc/hosts', ['localhost', ...names].map((name) => `127.0.0.1 ${name}\n`).join(''));
}

function runTest(file) {
    return new Promise((resolve) => {
        const env = { ...process.env, BERTH_SANDBOX: state, NODE_EXTRA_CA_CERTS: path.join(state, 'ca.pem') };
        const child = fork(file, { env, cwd: work });

        // The test asks for a hub that was ended and is back, perhaps with other options.
        child.on('message', async (message) => {
            await stopHub(message.signal);
            await startHub(message.options);
            writeHosts();
            child.send('restarted');
        });
        child.on('exit', (code) => resolve(code));
    });
}

async function main() {
    await startHub();
    writeHosts();
    let failed = (await runTest(path.resolve(process.argv[2]))) !== 0;
    const status = await stopHub('SIGTERM');
    if (status !== 0) {
        console.log(`not ok the hub ends cleanly: ${status}`);
        failed = true;
    }
    if (failed) {
        console.log(`--- the hub's log\n${fs.readFileSync(log, 'utf8').split('\n').slice(-60).join('\n')}`);
    }
    fs.rmSync(work, { recursive: true, force: true });
    process.exit(failed ? 1 : 0);
}

main().catch((error) => {
    console.log(`not ok the hub starts: ${error.message}`);
    process.exit(1);
});
