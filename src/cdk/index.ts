/**
 * holdfast/cdk: the constructs that run Holdfast on AWS. They need `aws-cdk-lib` and `constructs`, which nothing else of the
 * package imports.
 */
export { HoldfastAlarms, type HoldfastAlarmsProps } from './alarms/alarms.ts';
export { HoldfastCanary, type HoldfastCanaryProps } from './canary/canary.ts';
export {
  type HoldfastCertificateProps,
  type HoldfastImageProps,
  HoldfastTask,
  type HoldfastTaskProps,
} from './container/task.ts';
export type { HoldfastCollectorProps, HoldfastTelemetryProps } from './container/telemetry.ts';
export {
  type HoldfastDeployableProps,
  HoldfastDeployment,
  type HoldfastDeploymentProps,
} from './deployment/deployment.ts';
export type { HoldfastQueueMetricProps } from './metrics.ts';
export { type HoldfastCall, HoldfastNetwork, type HoldfastNetworkProps } from './network/network.ts';
export { HoldfastReleaseRole, type HoldfastReleaseRoleProps } from './release/release-role.ts';
export type { HoldfastPolicyProps } from './server/checks.ts';
export { HoldfastServer, type HoldfastServerProps } from './server/server.ts';
export type { HoldfastQueueProps, HoldfastSqsQueue } from './store/queues.ts';
export {
  type HoldfastGrantProps,
  HoldfastStore,
  type HoldfastStoreAttributes,
  type HoldfastStoreProps,
  type IHoldfastStore,
} from './store/store.ts';
export { HoldfastWorker, type HoldfastWorkerProps } from './worker/worker.ts';
