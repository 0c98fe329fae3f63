import {
  deployableOf,
  deploymentsPath,
  rollbackParameter,
  servicesPath,
} from '../../../core/deployments/names.ts';
import type { Deployable, RollbackRecord } from '../port.ts';
import type { Clients } from './clients.ts';
import { calling } from './errors.ts';

/** The parameters of SSM: which services a stage has, which tag it deploys, and which service was rolled back. */
export class Parameters {
  readonly #clients: Clients;

  constructor(clients: Clients) {
    this.#clients = clients;
  }

  async services(stage: string | undefined): Promise<readonly Deployable[]> {
    const { ssm, ssmModule, region } = this.#clients;
    const path = stage === undefined ? deploymentsPath : servicesPath(stage);
    const found: Deployable[] = [];
    let NextToken: string | undefined;
    do {
      const request = { Path: path, Recursive: true, ...(NextToken !== undefined && { NextToken }) };
      const page = await calling('SSM', region, () =>
        ssm.send(new ssmModule.GetParametersByPathCommand(request)),
      );
      for (const { Name = '', Value = '' } of page.Parameters ?? []) {
        const one = deployableIn(Name, Value);
        if (one !== undefined) found.push(one);
      }
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return found.sort((a, b) => (`${a.stage}/${a.name}` < `${b.stage}/${b.name}` ? -1 : 1));
  }

  async read(name: string): Promise<string | undefined> {
    const { ssm, ssmModule, region } = this.#clients;
    return calling('SSM', region, async () => {
      try {
        return (await ssm.send(new ssmModule.GetParameterCommand({ Name: name }))).Parameter?.Value;
      } catch (thrown) {
        if (thrown instanceof Error && thrown.name === 'ParameterNotFound') return undefined;
        throw thrown;
      }
    });
  }

  async write(name: string, value: string): Promise<void> {
    const { ssm, ssmModule, region } = this.#clients;
    const request = { Name: name, Value: value, Type: 'String', Overwrite: true } as const;
    await calling('SSM', region, () => ssm.send(new ssmModule.PutParameterCommand(request)));
  }

  async record({ stage, name }: Deployable): Promise<RollbackRecord | undefined> {
    return recordIn(await this.read(rollbackParameter(stage, name)));
  }

  writeRecord({ stage, name }: Deployable, record: RollbackRecord): Promise<void> {
    return this.write(rollbackParameter(stage, name), JSON.stringify(record));
  }

  async deleteRecord({ stage, name }: Deployable): Promise<void> {
    const { ssm, ssmModule, region } = this.#clients;
    await calling('SSM', region, async () => {
      try {
        await ssm.send(new ssmModule.DeleteParameterCommand({ Name: rollbackParameter(stage, name) }));
      } catch (thrown) {
        // Another run has deleted it.
        if (!(thrown instanceof Error && thrown.name === 'ParameterNotFound')) throw thrown;
      }
    });
  }
}

function objectIn(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Returns the service that a parameter describes, or undefined if it describes none. */
function deployableIn(parameter: string, text: string): Deployable | undefined {
  const place = deployableOf(parameter);
  const { cluster, service, repository, tagParameter, alarmPrefix } = objectIn(text);
  if (place === undefined) return undefined;
  for (const value of [cluster, service, repository, tagParameter])
    if (typeof value !== 'string' || value === '') return undefined;
  return {
    ...{ stage: place.stage, name: place.service },
    cluster: String(cluster),
    service: String(service),
    repository: String(repository),
    tagParameter: String(tagParameter),
    alarmPrefix: typeof alarmPrefix === 'string' && alarmPrefix !== '' ? alarmPrefix : undefined,
  };
}

function recordIn(text: string | undefined): RollbackRecord | undefined {
  const { from, to, direction } = objectIn(text);
  if (typeof from !== 'string' || typeof to !== 'string') return undefined;
  if (direction !== 'back' && direction !== 'forward') return undefined;
  return { from, to, direction };
}
