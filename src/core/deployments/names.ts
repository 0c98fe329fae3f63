/**
 * The names that holdfast/cdk and `holdfast deploy` agree on: parameters of SSM that say which services a stage has, and
 * which one was rolled back; and the labels of an image.
 */

/** The path above the parameters of all stages. */
export const deploymentsPath = '/holdfast';

export const stagePattern = /^[A-Za-z0-9._-]{1,64}$/;
export const serviceNamePattern = stagePattern;

const services = 'services';
const rollbacks = 'rollbacks';

/** The path above the parameters that say where the services of a stage are. */
export function servicesPath(stage: string): string {
  return `${deploymentsPath}/${stage}/${services}`;
}

/** The name of the parameter that says where a service of a stage is. */
export function deployableParameter(stage: string, service: string): string {
  return `${servicesPath(stage)}/${service}`;
}

/** The name of the parameter that records which tag a service was rolled back from. */
export function rollbackParameter(stage: string, service: string): string {
  return `${deploymentsPath}/${stage}/${rollbacks}/${service}`;
}

/** Returns the stage and the service that a parameter is about, or undefined for a parameter of another kind. */
export function deployableOf(
  parameter: string,
): { readonly stage: string; readonly service: string } | undefined {
  const [root, holdfast, stage, kind, service, ...rest] = parameter.split('/');
  if (root !== '' || `/${holdfast}` !== deploymentsPath || kind !== services || rest.length > 0)
    return undefined;
  if (stage === undefined || service === undefined) return undefined;
  return { stage, service };
}

/** The labels by which an image says what it is, without being started. */
export const imageLabels = {
  version: 'org.opencontainers.image.version',
  /** The number of the table schema that the image writes. */
  schema: 'io.holdfast.schema',
  /** The table schemas that it reads, `1-2`; absent if it reads the one that it writes alone. */
  readsSchema: 'io.holdfast.reads-schema',
  /** The schema of a store in a file, which `holdfast deploy` does not need. */
  storeSchema: 'io.holdfast.store-schema',
} as const;
