import type {
  ContainerDefinition,
  RegisterTaskDefinitionCommandInput,
  TaskDefinition,
} from '@aws-sdk/client-ecs';
import { HoldfastError } from '../../../core/errors.ts';
import type { Revision } from '../port.ts';
import type { Clients } from './clients.ts';
import { calling } from './errors.ts';

/** The most revisions of a family that are looked at, from the newest on. */
const mostRevisions = 50;
/** The most descriptions that are read at once. */
const atOnce = 10;

/** The name of Holdfast's own container in the task definitions of holdfast/cdk. */
const containerName = 'holdfast';

/** Reads the revisions of task definitions, each once: only its status ever changes. */
export class Revisions {
  readonly #clients: Clients;
  readonly #definitions = new Map<string, TaskDefinition>();

  constructor(clients: Clients) {
    this.#clients = clients;
  }

  /** @throws HoldfastError NOT_FOUND if ECS has no such revision. */
  async get(arn: string): Promise<Revision> {
    return revisionIn(await this.#definition(arn));
  }

  /** Returns the newest revisions of a family, the newest first, deregistered ones among them. */
  async newest(family: string): Promise<readonly Revision[]> {
    const lists = await Promise.all([this.#list(family, 'ACTIVE'), this.#list(family, 'INACTIVE')]);
    const arns = lists
      .flat()
      .filter((arn) => familyOf(arn) === family)
      .sort((a, b) => numberOf(b) - numberOf(a))
      .slice(0, mostRevisions);
    const active = new Set(lists[0]);
    const found: Revision[] = [];
    for (let i = 0; i < arns.length; i += atOnce) {
      const some = await Promise.all(arns.slice(i, i + atOnce).map((arn) => this.get(arn)));
      found.push(...some.map((one) => ({ ...one, isActive: active.has(one.arn) })));
    }
    return found;
  }

  /** Registers the content of a revision again, as a new one. */
  async register({ arn }: Revision): Promise<Revision> {
    const { ecs, ecsModule, region } = this.#clients;
    const request = contentOf(await this.#definition(arn));
    const { taskDefinition } = await calling('ECS', region, () =>
      ecs.send(new ecsModule.RegisterTaskDefinitionCommand(request)),
    );
    if (taskDefinition?.taskDefinitionArn === undefined) throw unknownRevision(arn, region);
    this.#definitions.set(taskDefinition.taskDefinitionArn, taskDefinition);
    return revisionIn(taskDefinition);
  }

  async #definition(arn: string): Promise<TaskDefinition> {
    const known = this.#definitions.get(arn);
    if (known !== undefined) return known;
    const { ecs, ecsModule, region } = this.#clients;
    const { taskDefinition } = await calling('ECS', region, () =>
      ecs.send(new ecsModule.DescribeTaskDefinitionCommand({ taskDefinition: arn })),
    );
    if (taskDefinition === undefined) throw unknownRevision(arn, region);
    this.#definitions.set(arn, taskDefinition);
    return taskDefinition;
  }

  async #list(family: string, status: 'ACTIVE' | 'INACTIVE'): Promise<readonly string[]> {
    const { ecs, ecsModule, region } = this.#clients;
    const arns: string[] = [];
    let nextToken: string | undefined;
    do {
      // A prefix also names other families, so that a page may have none of this one.
      const page = await calling('ECS', region, () =>
        ecs.send(
          new ecsModule.ListTaskDefinitionsCommand({
            ...{ familyPrefix: family, status, sort: 'DESC' },
            ...(nextToken !== undefined && { nextToken }),
          }),
        ),
      );
      arns.push(...(page.taskDefinitionArns ?? []).filter((arn) => familyOf(arn) === family));
      nextToken = page.nextToken;
    } while (nextToken !== undefined && arns.length < mostRevisions);
    return arns;
  }
}

function unknownRevision(arn: string, region: string): HoldfastError {
  const message = `ECS in ${region} has no task definition ${arn}.`;
  return new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, {
    help: '`holdfast deploy status` shows what runs.',
  });
}

const nameOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);
const familyOf = (arn: string): string => nameOf(arn).replace(/:\d+$/, '');
const numberOf = (arn: string): number => Number(nameOf(arn).split(':').pop());

/** Returns the tag of an image, or undefined if it is named by its digest alone. */
export function tagIn(image: string): string | undefined {
  const [reference = ''] = image.split('@');
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 ? undefined : name.slice(colon + 1);
}

function revisionIn(definition: TaskDefinition): Revision {
  const { taskDefinitionArn = '', containerDefinitions = [], status, revision, family } = definition;
  const main = containerDefinitions.find(({ name }) => name === containerName) ?? containerDefinitions[0];
  return {
    arn: taskDefinitionArn,
    family: family ?? familyOf(taskDefinitionArn),
    revision: revision ?? numberOf(taskDefinitionArn),
    isActive: status !== 'INACTIVE' && status !== 'DELETE_IN_PROGRESS',
    tag: tagIn(main?.image ?? ''),
    repository: repositoryIn(main?.image ?? ''),
    ...tableOf(main),
    settings: settingsOf(definition, main),
  };
}

/** Returns the name of the repository in ECR that an image is of. */
function repositoryIn(image: string): string | undefined {
  return /^\d{12}\.dkr[.-]ecr(?:-fips)?\.[^/]+\/([^:@]+)/.exec(image)?.[1];
}

/** The variables of the environment that choose a table. */
const engineVariable = 'HOLDFAST_ENGINE';
const tableVariable = 'HOLDFAST_AWS_TABLE';

/** Returns the table that a process opens, by its options or its environment, or why that is not known. */
function tableOf(container: ContainerDefinition | undefined): Pick<Revision, 'table' | 'tableFault'> {
  const { command = [], entryPoint = [], environment = [], secrets = [] } = container ?? {};
  const { environmentFiles = [] } = container ?? {};
  const unknown = (tableFault: string) => ({ table: undefined, tableFault });
  const option = (name: string, variable: string): string | undefined => {
    const at = command.lastIndexOf(`--${name}`);
    const joined = command.findLast((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
    return at >= 0
      ? command[at + 1]
      : (joined ?? (environment.find((one) => one.name === variable)?.value || undefined));
  };
  const engine = option('engine', engineVariable);
  const table = option('table', tableVariable);
  if (engine === 'aws' && table !== undefined) return { table, tableFault: undefined };
  if (engine !== undefined && engine !== 'aws') return { table: undefined, tableFault: undefined };
  const hidden = secrets.find(({ name }) => name === engineVariable || name === tableVariable)?.name;
  if (hidden !== undefined) return unknown(`its variable ${hidden} is a secret`);
  if (environmentFiles.length > 0) return unknown('its environment is in files');
  if (engine === 'aws') return unknown('it names no table');
  if (entryPoint.length > 0 && entryPoint.join(' ') !== 'holdfast')
    return unknown(`it starts '${entryPoint.join(' ')}'`);
  // A command of the image itself may open a table, but not that of a client, which has the address of its server.
  if (command.length === 0 && !environment.some(({ name }) => name === 'HOLDFAST_URL'))
    return unknown('it leaves the command to the image');
  return { table: undefined, tableFault: undefined };
}

/** Returns the settings that are compared. Variables and secrets are named without their values. */
function settingsOf(
  { cpu, memory }: TaskDefinition,
  container: ContainerDefinition | undefined,
): Record<string, string> {
  const names = (list: readonly { readonly name?: string | undefined }[] = []): string =>
    list
      .map(({ name = '' }) => name)
      .sort()
      .join(' ');
  return {
    ...(cpu !== undefined && { cpu }),
    ...(memory !== undefined && { memory }),
    command: (container?.command ?? []).join(' '),
    variables: names(container?.environment),
    secrets: names(container?.secrets),
  };
}

/** Returns a definition without the fields that ECS sets itself. */
function contentOf(definition: TaskDefinition): RegisterTaskDefinitionCommandInput {
  const {
    taskDefinitionArn: _arn,
    revision: _revision,
    status: _status,
    requiresAttributes: _attributes,
    compatibilities: _compatibilities,
    registeredAt: _registeredAt,
    deregisteredAt: _deregisteredAt,
    registeredBy: _registeredBy,
    deleteRequestedAt: _deleteRequestedAt,
    family,
    containerDefinitions,
    ...content
  } = definition;
  return { ...content, family, containerDefinitions };
}
