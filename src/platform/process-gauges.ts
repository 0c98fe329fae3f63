import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { GaugeSource } from '../ports/metrics.ts';

/** How often the delay of the event loop is sampled, in ms. */
const resolutionMs = 20;
const nsPerSecond = 1e9;

/**
 * The gauges of this process: its event loop, its memory and its processor time. The values of the event loop are those of
 * the time since the last read.
 */
export function processGauges(): GaugeSource & { stop(): void } {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  let lastUtilization = performance.eventLoopUtilization();
  return {
    name: 'process',
    everyMs: 0,
    read(gauges) {
      // A sample has the interval of the sampling in it. Without any sample the values are those of no delay.
      const seconds = (ns: number): number => Math.max(0, ns / nsPerSecond - resolutionMs / 1_000) || 0;
      gauges.set('nodejs.eventloop.delay.p50', {}, seconds(delay.percentile(50)));
      gauges.set('nodejs.eventloop.delay.p99', {}, seconds(delay.percentile(99)));
      gauges.set('nodejs.eventloop.delay.max', {}, seconds(delay.max));
      delay.reset();
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, lastUtilization);
      lastUtilization = now;
      gauges.set('nodejs.eventloop.utilization', {}, utilization);
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      gauges.set('v8js.memory.heap.used', {}, used);
      gauges.set('v8js.memory.heap.limit', {}, limit);
      const { user, system } = process.cpuUsage();
      gauges.set('process.cpu.time', { 'cpu.mode': 'user' }, user / 1e6);
      gauges.set('process.cpu.time', { 'cpu.mode': 'system' }, system / 1e6);
      gauges.set('process.memory.usage', {}, process.memoryUsage.rss());
      gauges.set('process.uptime', {}, process.uptime());
    },
    stop: () => void delay.disable(),
  };
}
