/** The steps of a run: which version each server and each worker has, until the next step. */
import type { EngineName } from '../chaos/deployment.ts';
import type { VersionName } from './versions.ts';

export interface Step {
  readonly name: string;
  readonly servers: readonly VersionName[];
  readonly workers: readonly VersionName[];
  readonly seconds: number;
  /** True if tasks get events of a newer kind before the servers of this step work on them. */
  readonly hasNewerEvents?: boolean;
}

const o = 'old';
const n = 'new';

/** One process at a time has the file, so that the server is of one version while the workers are mixed. */
const onFile: readonly Step[] = [
  { name: 'all old', servers: [o], workers: [o, o, o], seconds: 5 },
  { name: 'old server, mixed workers', servers: [o], workers: [n, o, o], seconds: 8 },
  { name: 'new server, mixed workers', servers: [n], workers: [n, n, o], seconds: 8 },
  { name: 'all new', servers: [n], workers: [n, n, n], seconds: 5 },
  { name: 'server back, mixed workers', servers: [o], workers: [n, n, o], seconds: 8, hasNewerEvents: true },
  { name: 'all back', servers: [o], workers: [o, o, o], seconds: 8 },
  { name: 'all forward', servers: [n], workers: [n, n, n], seconds: 5 },
];

/** Two servers of two versions, and workers that poll SQS themselves, share the table. */
const onTable: readonly Step[] = [
  { name: 'all old', servers: [o, o], workers: [o, o, o, o], seconds: 5 },
  { name: 'mixed servers, old workers', servers: [n, o], workers: [o, o, o, o], seconds: 8 },
  { name: 'mixed servers and workers', servers: [n, o], workers: [n, n, o, o], seconds: 10 },
  { name: 'new servers, mixed workers', servers: [n, n], workers: [n, n, o, o], seconds: 5 },
  { name: 'all new', servers: [n, n], workers: [n, n, n, n], seconds: 5 },
  { name: 'one server back', servers: [n, o], workers: [n, n, o, o], seconds: 10 },
  { name: 'all back', servers: [o, o], workers: [o, o, o, o], seconds: 15, hasNewerEvents: true },
  { name: 'all forward', servers: [n, n], workers: [n, n, n, n], seconds: 5 },
];

/** Returns the steps on an engine. Without `goesBack` no step has the old version again after the new one. */
export function stepsOf(engine: EngineName, goesBack: boolean): readonly Step[] {
  const steps = engine === 'sqlite' ? onFile : onTable;
  if (goesBack) return steps;
  return steps.slice(0, steps.findIndex(({ name }) => name === 'all new') + 1);
}
