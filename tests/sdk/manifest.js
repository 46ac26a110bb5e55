// Deployment manifests, as small as IoT Hub takes them.
'use strict';

function image(name) {
    return {
        version: '1.0',
        type: 'docker',
        status: 'running',
        restartPolicy: 'always',
        settings: { image: name, createOptions: '{}' },
    };
}

// A whole deployment with MODULES: { name: image }.
function full(modules = {}, others = {}) {
    return {
        modulesContent: {
            $edgeAgent: {
                'properties.desired': {
                    schemaVersion: '1.1',
                    runtime: { type: 'docker', settings: {} },
                    systemModules: {
                        edgeAgent: { type: 'docker', settings: { image: 'agent:1', createOptions: '{}' } },
                        edgeHub: image('hub:1'),
                    },
                    modules: Object.fromEntries(Object.entries(modules).map(([name, at]) => [name, image(at)])),
                },
            },
            $edgeHub: {
                'properties.desired': {
                    schemaVersion: '1.1',
                    routes: {},
                    storeAndForwardConfiguration: { timeToLiveSecs: 60 },
                },
            },
            ...others,
        },
    };
}

// What is laid over a whole deployment: MODULES and ROUTES, each { name: value }.
function layer(modules = {}, routes = {}) {
    const named = (prefix, values) =>
        Object.fromEntries(Object.entries(values).map(([name, value]) => [`properties.desired.${prefix}.${name}`, value]));
    return {
        modulesContent: {
            $edgeAgent: named('modules', Object.fromEntries(Object.entries(modules).map(([name, at]) => [name, image(at)]))),
            $edgeHub: named('routes', routes),
        },
    };
}

module.exports = { full, image, layer };
