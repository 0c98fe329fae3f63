import type { MetricDefinition } from './metric.ts';

const everywhere = ['server', 'worker', 'canary'] as const;

function eventLoop(description: string) {
  return {
    kind: 'gauge',
    combine: 'max',
    unit: 's',
    labels: {},
    description,
    usedBy: 'panel Overview: event loop',
    on: everywhere,
  } as const;
}

/** The process, mostly by the names of the semantic conventions. */
export const processMetrics = {
  'nodejs.eventloop.delay.p50': eventLoop('The median delay of the event loop since the last collection.'),
  'nodejs.eventloop.delay.p99': eventLoop(
    'The 99th percentile of the delay of the event loop since the last collection.',
  ),
  'nodejs.eventloop.delay.max': eventLoop('The longest delay of the event loop since the last collection.'),
  'nodejs.eventloop.utilization': {
    ...eventLoop('The part of the time since the last collection in which the event loop was busy.'),
    unit: '1',
    usedBy: 'panel Overview: utilization',
  },
  'v8js.memory.heap.used': {
    kind: 'gauge',
    combine: 'sum',
    unit: 'By',
    labels: {},
    description: 'The used part of the heap of V8.',
    usedBy: 'panel Overview: memory',
    on: everywhere,
  },
  'v8js.memory.heap.limit': {
    kind: 'gauge',
    combine: 'sum',
    unit: 'By',
    labels: {},
    description: 'The largest size that the heap of V8 may reach.',
    usedBy: 'panel Overview: memory',
    on: everywhere,
  },
  'process.cpu.time': {
    kind: 'counter',
    unit: 's',
    labels: { 'cpu.mode': ['user', 'system'] },
    description: 'The processor time that the process has used.',
    usedBy: 'panel Overview: processor',
    on: everywhere,
  },
  'process.memory.usage': {
    kind: 'gauge',
    combine: 'sum',
    unit: 'By',
    labels: {},
    description: 'The physical memory of the process.',
    usedBy: 'panel Overview: memory',
    on: everywhere,
  },
  'process.uptime': {
    kind: 'gauge',
    combine: 'max',
    unit: 's',
    labels: {},
    description: 'The time since the process began.',
    usedBy: 'panel Overview: restarts',
    on: everywhere,
  },
  'holdfast.log.dropped': {
    kind: 'counter',
    unit: '{line}',
    labels: {},
    description:
      'Log lines that were to be exported and that no collector got. They were written to standard error all the same.',
    usedBy: 'panel Overview: dropped log lines',
    on: everywhere,
  },
} as const satisfies Record<string, MetricDefinition>;
