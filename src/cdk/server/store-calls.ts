import { Stack } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import { indexArns, type Permissions } from '../../engines/aws/policies.ts';
import type { HoldfastNetwork } from '../network/network.ts';
import type { IHoldfastStore } from '../store/store.ts';

/** Lets tasks call a store through the endpoints of their network. Roles say more exactly which queue is used for what. */
export function callsStore(
  network: HoldfastNetwork,
  store: IHoldfastStore,
  from: ec2.IConnectable,
  { table, indexes, queues, deadQueues }: Permissions,
): void {
  const actions = (service: string, names: readonly string[]): string[] =>
    [...new Set(names)].map((name) => `${service}:${name}`);
  const call = (names: readonly string[], resources: string[]): void => {
    if (resources.length > 0)
      network.calls('dynamodb', { actions: actions('dynamodb', names), resources }, from);
  };
  call(table, [store.tableArn]);
  call(['Query'], indexArns(store.tableArn, indexes));
  const { partition, region, account } = Stack.of(network);
  const prefix = `arn:${partition}:sqs:${region}:${account}:${store.queuePrefix}__*`;
  network.calls('sqs', { actions: actions('sqs', [...queues, ...deadQueues]), resources: [prefix] }, from);
}
