import { RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import {
  HoldfastAlarms,
  HoldfastCanary,
  HoldfastDeployment,
  HoldfastNetwork,
  HoldfastReleaseRole,
  HoldfastServer,
  HoldfastStore,
  HoldfastWorker,
  type IHoldfastStore,
} from '../../src/cdk/index.ts';
import type { StageSettings } from './stages.ts';

/** The values that a deployment gives beside its stage. */
export interface Given {
  /** The ARN of the certificate of the load balancer's listener, in ACM. */
  readonly listenerCertificateArn: string;
  /** The file of the authorities whose clients are let in. */
  readonly trustBundleFile: string;
  /** The repository on GitHub, as `owner/name`, whose release workflow deploys the stages. Default: none, and no role for it. */
  readonly releaseRepository?: string | undefined;
}

/** The stateful part: table, queues and images. Its resources outlive it. */
export class DataStack extends Stack {
  readonly store: HoldfastStore;
  readonly repository: ecr.Repository;
  /**
   * The parameter of SSM with the tag that the stack of the app deploys. A release makes and writes it. It is no resource of a
   * stack, because an update of such a resource could write the value of the template over the tag of a rollback.
   */
  readonly tagParameterName: string;

  constructor(scope: Construct, id: string, stage: StageSettings, props: StackProps) {
    super(scope, id, props);
    this.store = new HoldfastStore(this, 'Store', {
      tableName: stage.tableName,
      queues: [...stage.queues, 'holdfast-canary'].map((name) => ({ name })),
      deletionProtection: stage.isProtected,
    });
    this.repository = new ecr.Repository(this, 'Images', {
      ...{ imageTagMutability: ecr.TagMutability.IMMUTABLE, imageScanOnPush: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.tagParameterName = `/holdfast/${stage.name}/image-tag`;
  }
}

/**
 * Returns the store of a stage: its own, or the table that a restore has made, with the same SQS queues and metrics. The stateful
 * stack keeps the former table as it is.
 */
function storeOf(
  scope: Construct,
  { restoredTable, tableName }: StageSettings,
  { store }: DataStack,
): IHoldfastStore {
  if (restoredTable === undefined) return store;
  return HoldfastStore.fromAttributes(scope, 'RestoredStore', {
    ...{ tableName: restoredTable, queuePrefix: tableName, queues: store.queues },
    metricsNamespace: store.metricsNamespace,
  });
}

/** The stateless part: network, server, workers, canary and alarms. It can be deleted and made anew. */
export class AppStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    {
      stage,
      data,
      given,
    }: { readonly stage: StageSettings; readonly data: DataStack; readonly given: Given },
    props: StackProps,
  ) {
    super(scope, id, props);
    const { front, deployment, servers, hostname } = stage;
    const image = { repository: data.repository, tagParameterName: data.tagParameterName };
    const secret = (name: string): secretsmanager.ISecret =>
      secretsmanager.Secret.fromSecretNameV2(this, name, `holdfast/${stage.name}/${name}`);
    const store = storeOf(this, stage, data);
    const network = new HoldfastNetwork(this, 'Network', { zones: stage.zones });
    const server = new HoldfastServer(this, 'Server', {
      ...{ network, store, image, hostname, front, deployment, desiredCount: servers },
      certificate: { secret: secret('server') },
      policy: { secret: secret('policy') },
      ...(front === 'alb' && {
        listenerCertificates: [
          acm.Certificate.fromCertificateArn(this, 'ListenerCertificate', given.listenerCertificateArn),
        ],
        trustBundleFile: given.trustBundleFile,
      }),
    });
    const { workerModule: module, queues, spot } = stage;
    const worker =
      module === undefined
        ? undefined
        : new HoldfastWorker(this, 'Worker', {
            ...{ image, module, queues: [...queues], spot },
            ...{ store, network, cluster: server.cluster },
          });
    const canary = new HoldfastCanary(this, 'Canary', {
      ...{ server, image, certificate: { secret: secret('canary') } },
    });
    new HoldfastAlarms(this, 'Alarms', { server, canary });
    const deployables = new HoldfastDeployment(this, 'Deployment', {
      stage: stage.name,
      services: [
        { name: 'api', service: server.service, image },
        ...(worker === undefined ? [] : [{ name: 'worker', service: worker.service, image }]),
        { name: 'canary', service: canary.service, image },
      ],
    });
    const { releaseRepository: repository } = given;
    if (repository !== undefined) {
      const { environment } = stage;
      new HoldfastReleaseRole(this, 'Release', {
        ...{ repository, environment, image, server, canary, deployment: deployables },
      });
    }
  }
}
