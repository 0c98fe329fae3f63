/** The calls to AWS that are recorded, and the actions and resources for which IAM checks each. */

/** The processes and programs whose calls are recorded apart. */
export type Caller =
  | 'server'
  | 'worker'
  | 'agent'
  | 'init'
  | 'register'
  | 'drain'
  | 'redispatch'
  | 'submit'
  | 'read';

/** A kind of resource of an installation: the table, one of its indexes by name, its queues, a task of ECS. */
export type ResourceKind = 'table' | `index/${string}` | 'queue' | 'deadQueue' | 'task';

export interface RecordedCall {
  readonly caller: Caller;
  /** `DynamoDB`, `SQS` or `ECS`. */
  readonly service: string;
  /** The name of the operation, such as `TransactWriteItems` or `SendMessageBatch`. */
  readonly operation: string;
  readonly input: Input;
}

/** The fields of requests that name resources. */
export interface Input {
  readonly TableName?: string;
  readonly IndexName?: string;
  readonly RequestItems?: Readonly<Record<string, unknown>>;
  readonly TransactItems?: readonly Readonly<Record<string, { readonly TableName: string } | undefined>>[];
  readonly QueueUrl?: string;
  readonly QueueName?: string;
  readonly [field: string]: unknown;
}

export interface CheckedAction {
  /** Such as `dynamodb:PutItem`. */
  readonly action: string;
  readonly resource: ResourceKind;
}

/** The action of IAM for each kind of item in a request of TransactWriteItems or TransactGetItems. */
const partActions: Readonly<Record<string, string>> = {
  ConditionCheck: 'ConditionCheckItem',
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  Get: 'GetItem',
};

/** Returns the actions that IAM checks for a request, each once. */
export function actionsOf(service: string, operation: string, input: Input): CheckedAction[] {
  if (service === 'ECS') return [{ action: `ecs:${operation}`, resource: 'task' }];
  if (service === 'SQS') {
    const name = input.QueueUrl?.split('/').at(-1) ?? input.QueueName ?? '';
    const resource = name.endsWith('-dead.fifo') ? 'deadQueue' : 'queue';
    // A batch needs the permission for a single message.
    return [{ action: `sqs:${operation.replace(/Batch$/, '')}`, resource }];
  }
  if (operation.startsWith('Transact')) {
    // A part that an item does not have may be there as undefined.
    const parts = new Set(
      input.TransactItems?.flatMap((item) => Object.keys(item).filter((part) => item[part] !== undefined)),
    );
    return [...parts].map((part) => ({ action: `dynamodb:${partActions[part]}`, resource: 'table' }));
  }
  const resource = input.IndexName === undefined ? 'table' : (`index/${input.IndexName}` as const);
  return [{ action: `dynamodb:${operation}`, resource }];
}

/** Returns a text that is the same for calls of one caller that IAM judges alike. */
export function kindOf({ caller, service, operation, input }: RecordedCall): string {
  const checked = actionsOf(service, operation, input).map(({ action, resource }) => `${action} ${resource}`);
  return [caller, service, operation, ...checked.sort()].join(' ');
}
