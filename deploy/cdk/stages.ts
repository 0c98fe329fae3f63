/** The stages that the app deploys. Edit them, or give values by the context: `-c trustBundle=certs/ca.crt`. */

export interface StageSettings {
  readonly name: 'dev' | 'prod';
  readonly tableName: string;
  /** The table that a restore has made, which the processes use in place of `tableName` (docs/runbooks/restore.md). */
  readonly restoredTable?: string;
  readonly queues: readonly string[];
  /**
   * The module of a worker in the image, such as `worker.ts` (docs/image.md). Default: none, and no worker is deployed: the image of
   * `deploy/image` has no module.
   */
  readonly workerModule?: string;
  readonly zones: number;
  readonly servers: number;
  readonly front: 'alb' | 'nlb';
  readonly deployment: 'rolling' | 'canary';
  readonly isProtected: boolean;
  readonly spot: boolean;
  readonly hostname: string;
  /** The environment on GitHub from which a release deploys the stage (docs/ci.md). */
  readonly environment: string;
}

export const stages: readonly StageSettings[] = [
  {
    ...{ name: 'dev', tableName: 'holdfast-dev', queues: ['default'], zones: 2, servers: 1 },
    ...{ front: 'nlb', deployment: 'rolling', isProtected: false, spot: true },
    ...{ hostname: 'holdfast.dev.internal', environment: 'staging' },
  },
  {
    ...{ name: 'prod', tableName: 'holdfast-prod', queues: ['default'], zones: 3, servers: 3 },
    ...{ front: 'alb', deployment: 'canary', isProtected: true, spot: false },
    ...{ hostname: 'holdfast.prod.internal', environment: 'production' },
  },
];
