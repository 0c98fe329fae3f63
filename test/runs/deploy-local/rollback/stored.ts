/** The calls of ECS, ECR, SSM, DynamoDB and CloudWatch that only store and return things, for a double without ministack. */
import { createHash } from 'node:crypto';
import { ApiError } from './played-service.ts';

// biome-ignore lint/suspicious/noExplicitAny: requests are JSON of many shapes.
type Request = any;
type Item = Record<string, { readonly S?: string; readonly N?: string }>;

interface Definition {
  readonly taskDefinitionArn: string;
  readonly family: string;
  readonly revision: number;
  status: 'ACTIVE' | 'INACTIVE';
  readonly content: object;
}

const account = 'arn:aws:ecs:eu-central-1:000000000000';
/** The tasks of the service that the double plays. */
const playedTasks: readonly string[] = [`${account}:task/t1`, `${account}:task/t2`];

export function isPlayedTask(arn: string): boolean {
  return playedTasks.includes(arn);
}

export class Stored {
  readonly #definitions: Definition[] = [];
  readonly #parameters = new Map<string, string>();
  readonly #images = new Map<string, { readonly digest: string; readonly manifest: string }[]>();
  readonly #tags = new Map<string, string>();
  readonly #items = new Map<string, Item>();
  /** The names of the alarms that fire. */
  readonly firing = new Set<string>();

  /** Answers a call, or returns undefined if it is none of these. */
  answer(operation: string, request: Request): object | undefined {
    switch (operation) {
      case 'CreateCluster':
      case 'CreateTable':
        return {};
      case 'CreateRepository':
        this.#images.set(request.repositoryName, []);
        return {};
      case 'RegisterTaskDefinition':
        return this.#register(request);
      case 'DeregisterTaskDefinition': {
        const one = this.definition(request.taskDefinition);
        one.status = 'INACTIVE';
        return { taskDefinition: view(one) };
      }
      case 'DescribeTaskDefinition':
        return { taskDefinition: view(this.definition(request.taskDefinition)) };
      case 'ListTaskDefinitions':
        return this.#list(request);
      case 'ListTasks':
        return { taskArns: playedTasks };
      case 'DescribeTasks':
        return {
          tasks: request.tasks.map((taskArn: string) => ({
            taskArn,
            lastStatus: 'RUNNING',
            healthStatus: 'HEALTHY',
          })),
        };
      case 'PutImage':
        return this.#putImage(request);
      case 'BatchGetImage':
        return this.#getImages(request);
      case 'BatchDeleteImage':
        for (const { imageTag } of request.imageIds)
          this.#tags.delete(`${request.repositoryName}:${imageTag}`);
        return { imageIds: request.imageIds, failures: [] };
      case 'PutParameter':
        this.#parameters.set(request.Name, request.Value);
        return { Version: 1 };
      case 'GetParameter': {
        const Value = this.#parameters.get(request.Name);
        if (Value === undefined) throw new ApiError('ParameterNotFound', '');
        return { Parameter: { Name: request.Name, Value, Type: 'String' } };
      }
      case 'DeleteParameter':
        if (!this.#parameters.delete(request.Name)) throw new ApiError('ParameterNotFound', '');
        return {};
      case 'GetParametersByPath':
        return {
          Parameters: [...this.#parameters]
            .filter(([name]) => name.startsWith(`${request.Path}/`))
            .map(([Name, Value]) => ({ Name, Value, Type: 'String' })),
        };
      case 'PutItem':
        this.#items.set(keyOf(request.TableName, request.Item), request.Item);
        return {};
      case 'BatchGetItem':
        return { Responses: this.#getItems(request.RequestItems), UnprocessedKeys: {} };
      case 'DescribeAlarms': {
        const names = [...this.firing].filter((name) => name.startsWith(request.AlarmNamePrefix));
        return {
          MetricAlarms: names.map((AlarmName) => ({ AlarmName, StateValue: 'ALARM' })),
          CompositeAlarms: [],
        };
      }
      default:
        return undefined;
    }
  }

  /** Returns a task definition by its ARN or by `family:revision`. */
  definition(name: string): Definition {
    const short = name.slice(name.lastIndexOf('/') + 1);
    const found = this.#definitions.find(({ family, revision }) => `${family}:${revision}` === short);
    if (found === undefined) throw new ApiError('ClientException', 'Unable to describe task definition.');
    return found;
  }

  #register({ family, ...content }: Request): object {
    const revision = 1 + this.#definitions.filter((one) => one.family === family).length;
    const taskDefinitionArn = `${account}:task-definition/${family}:${revision}`;
    const made: Definition = { taskDefinitionArn, family, revision, status: 'ACTIVE', content };
    this.#definitions.push(made);
    return { taskDefinition: view(made) };
  }

  #list({ familyPrefix, status = 'ACTIVE' }: Request): object {
    const found = this.#definitions.filter(
      (one) => one.family.startsWith(familyPrefix) && one.status === status,
    );
    return { taskDefinitionArns: found.map((one) => one.taskDefinitionArn).reverse() };
  }

  #putImage({ repositoryName, imageManifest, imageTag }: Request): object {
    const digest = `sha256:${createHash('sha256').update(imageManifest).digest('hex')}`;
    const images = this.#images.get(repositoryName);
    if (images === undefined) throw new ApiError('RepositoryNotFoundException', 'No such repository.');
    images.push({ digest, manifest: imageManifest });
    if (imageTag !== undefined) this.#tags.set(`${repositoryName}:${imageTag}`, digest);
    return { image: { imageId: { imageDigest: digest, imageTag } } };
  }

  #getImages({ repositoryName, imageIds }: Request): object {
    const all = this.#images.get(repositoryName);
    if (all === undefined) throw new ApiError('RepositoryNotFoundException', 'No such repository.');
    const images = imageIds.flatMap(({ imageTag, imageDigest }: Request) => {
      const digest = imageDigest ?? this.#tags.get(`${repositoryName}:${imageTag}`);
      const found = all.find((one) => one.digest === digest);
      return found === undefined
        ? []
        : [{ imageId: { imageDigest: found.digest, imageTag }, imageManifest: found.manifest }];
    });
    return { images, failures: [] };
  }

  #getItems(requested: Record<string, { readonly Keys: readonly Item[] }>): object {
    return Object.fromEntries(
      Object.entries(requested).map(([table, { Keys }]) => [
        table,
        Keys.flatMap((key) => this.#items.get(keyOf(table, key)) ?? []),
      ]),
    );
  }
}

function view({ taskDefinitionArn, family, revision, status, content }: Definition): object {
  return { ...content, taskDefinitionArn, family, revision, status };
}

function keyOf(table: string, { pk, sk }: Item): string {
  return `${table} ${pk?.S} ${sk?.S}`;
}
