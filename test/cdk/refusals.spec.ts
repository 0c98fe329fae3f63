/** Shows that properties of constructs that make no sense, or none together, are refused at synthesis with a sentence. */
import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as iam from 'aws-cdk-lib/aws-iam';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { expect, it } from 'vitest';
import {
  HoldfastCanary,
  type HoldfastCanaryProps,
  HoldfastDeployment,
  HoldfastNetwork,
  HoldfastServer,
  type HoldfastServerProps,
  HoldfastStore,
  type HoldfastStoreProps,
  HoldfastWorker,
  type HoldfastWorkerProps,
} from '../../src/cdk/index.ts';

function parts(publicSubnets = false) {
  const stack = new Stack(new App(), 'stack', { env: { region: 'eu-central-1' } });
  const secret = secretsmanager.Secret.fromSecretNameV2(stack, 'secret', 'secret');
  const repository = ecr.Repository.fromRepositoryName(stack, 'images', 'images');
  return {
    stack,
    certificate: { secret },
    image: { repository, tagParameterName: '/tag' },
    network: new HoldfastNetwork(stack, 'network', { publicSubnets }),
    store: new HoldfastStore(stack, 'store', { tableName: 'jobs', queues: [{ name: 'mail' }] }),
  };
}

function server(props: Partial<HoldfastServerProps> = {}, made = parts()): HoldfastServer {
  const { stack, network, store, image, certificate } = made;
  const common = { network, store, image, certificate, hostname: 'jobs.internal', front: 'nlb' };
  return new HoldfastServer(stack, 'server', { ...common, ...props });
}

function store(props: Partial<HoldfastStoreProps>): HoldfastStore {
  return new HoldfastStore(new Stack(), 'store', { tableName: 'jobs', queues: [{ name: 'mail' }], ...props });
}

function worker(props: Partial<HoldfastWorkerProps>, made = parts()): HoldfastWorker {
  const { stack, image } = made;
  return new HoldfastWorker(stack, 'worker', { image, module: 'worker.js', queues: ['mail'], ...props });
}

/** Returns properties in which one is undefined, as a program in JavaScript may give them. */
function without(name: string): object {
  return { [name]: undefined };
}

const refused: readonly (readonly [name: string, run: () => unknown, sentence: RegExp])[] = [
  ['one zone', () => new HoldfastNetwork(new Stack(), 'network', { zones: 1 }), /two availability zones/],
  ['a store without queues', () => store({ queues: [] }), /no queue/],
  ['a queue that is named twice', () => store({ queues: [{ name: 'a' }, { name: 'a' }] }), /named twice/],
  ['an unknown priority', () => store({ queues: [{ name: 'a', priorities: ['urgent'] }] }), /'urgent'/],
  ['a name of a table that AWS refuses', () => store({ tableName: 'a b' }), /not a name of a table/],
  ['a prefix that names of queues cannot have', () => store({ queuePrefix: 'a__b' }), /contains __/],
  ['recovery of more than 35 days', () => store({ recoveryDays: 36 }), /from 1 to 35/],
  [
    'a protected table that is to be destroyed',
    () => store({ removalPolicy: RemovalPolicy.DESTROY }),
    /deletionProtection/,
  ],
  ['an unknown front', () => server({ front: 'clb' }), /front is 'clb'/],
  ['an unknown deployment', () => server({ deployment: 'bluegreen' }), /'bluegreen'/],
  ['no server', () => server({ desiredCount: 0 }), /At least one server/],
  ['steps of a rolling deployment', () => server({ stepPercent: 20 }), /no steps/],
  [
    'steps shorter than streams live',
    () => server({ deployment: 'canary', stepBakeTime: Duration.minutes(1) }),
    /5 minutes or more/,
  ],
  [
    'a trust store behind nlb',
    () => server({ trustBundleFile: 'ca.crt' }),
    /trustBundleFile is for the front 'alb'/,
  ],
  ['alb without a certificate', () => server({ front: 'alb' }), /listenerCertificates/],
  [
    'an internet-facing front without public subnets',
    () => server({ internetFacing: true }),
    /publicSubnets/,
  ],
  ['a server without a network', () => server(without('network')), /server: network is missing/],
  ['a server without a store', () => server(without('store')), /store is missing/],
  ['a server without an image', () => server(without('image')), /image is missing/],
  ['a server without a hostname', () => server(without('hostname')), /hostname is missing/],
  ['a server with an empty hostname', () => server({ hostname: '' }), /hostname is missing/],
  ['a server without a certificate', () => server(without('certificate')), /certificate is missing/],
  ['a hostname with a scheme', () => server({ hostname: 'https://jobs.internal' }), /no scheme and no port/],
  ['a hostname with a port', () => server({ hostname: 'jobs.internal:7433' }), /no scheme and no port/],
  ['a policy without content', () => server({ policy: {} }), /the policy is empty/],
  ['a policy without rules', () => server({ policy: { text: '{"rule": []}' } }), /no JSON with rules/],
  [
    'an alarm of unserved tasks that always fires',
    () => server({ rollbackUnserved: 0 }),
    /rollbackUnserved is 0/,
  ],
  ['a worker without a module', () => worker({ module: '' }), /worker: module is missing/],
  ['a worker without queues', () => worker(without('queues')), /queues is missing/],
  [
    'a worker that is added at any time',
    () => {
      const made = parts();
      const { certificate } = made;
      return worker({ server: server({}, made), certificate, oldestReady: Duration.seconds(0) }, made);
    },
    /oldestReady is 0 s/,
  ],
  [
    'a canary without a certificate',
    () => {
      const made = parts();
      const { stack, image } = made;
      const props = { server: server({}, made), image } as unknown as HoldfastCanaryProps;
      return new HoldfastCanary(stack, 'canary', props);
    },
    /canary: certificate is missing/,
  ],
  [
    'a grant that is limited to no queue',
    () => {
      const { stack, store } = parts();
      const role = new iam.Role(stack, 'role', { assumedBy: new iam.AccountRootPrincipal() });
      return store.grantSubmit(role, { queues: [] });
    },
    /limited to no queue/,
  ],
  ['two policies', () => server({ policy: { text: '{}', file: 'policy.json' } }), /given twice/],
  ['a policy that is no JSON', () => server({ policy: { text: 'x' } }), /no JSON/],
  [
    'a part of the files of a certificate',
    () => server({ certificate: { caFile: 'ca.crt' } }),
    /three files/,
  ],
  ['an endpoint and a collector missing from telemetry', () => server({ telemetry: {} }), /otlpEndpoint/],
  [
    'an endpoint of OTLP that is no URL',
    () => server({ telemetry: { otlpEndpoint: 'collector' } }),
    /Give a URL/,
  ],
  ['a worker without a source', () => worker({}), /from a server or from a store/],
  [
    'a worker with two sources',
    () => {
      const made = parts();
      return worker({ server: server({}, made), store: made.store }, made);
    },
    /not from both/,
  ],
  [
    'a worker with a store and no place',
    () => {
      const made = parts();
      return worker({ store: made.store }, made);
    },
    /needs a place/,
  ],
  [
    'a worker of a server without a certificate',
    () => {
      const made = parts();
      return worker({ server: server({}, made) }, made);
    },
    /no certificate/,
  ],
  [
    'a worker of a queue that the store lacks',
    () => {
      const made = parts();
      return worker({ server: server({}, made), certificate: made.certificate, queues: ['other'] }, made);
    },
    /no queue 'other'/,
  ],
  [
    'a drain longer than Fargate allows',
    () => {
      const made = parts();
      return worker(
        { server: server({}, made), certificate: made.certificate, drain: Duration.seconds(111) },
        made,
      );
    },
    /1 to 110 s/,
  ],
  [
    'more workers at least than at most',
    () => {
      const made = parts();
      return worker(
        { server: server({}, made), certificate: made.certificate, minTasks: 5, maxTasks: 2 },
        made,
      );
    },
    /smaller one first/,
  ],
  [
    'a worker that cannot reach an internet-facing front',
    () => {
      const made = parts(true);
      return worker({ server: server({ internetFacing: true }, made), certificate: made.certificate }, made);
    },
    /public addresses only/,
  ],
  [
    'a web ACL before a front that takes none',
    () => server({ webAclArn: 'arn:aws:wafv2:eu-central-1:1:regional/webacl/a/1' }),
    /webAclArn is for the front 'alb'/,
  ],
  [
    'a hosted zone in which the hostname is not',
    () => {
      const made = parts();
      const attributes = { hostedZoneId: 'Z1', zoneName: 'example.org' };
      const hostedZone = HostedZone.fromHostedZoneAttributes(made.stack, 'zone', attributes);
      return server({ hostedZone }, made);
    },
    /the zone 'example.org' cannot have a record of 'jobs.internal'/,
  ],
  [
    'a deployment without a service',
    () => new HoldfastDeployment(new Stack(), 'deployment', { stage: 'prod', services: [] }),
    /no service is named/,
  ],
  [
    'a deployment of a stage whose name has a slash',
    () => new HoldfastDeployment(new Stack(), 'deployment', { stage: 'a/b', services: [] }),
    /not a name of a stage/,
  ],
  [
    'a service of a deployment that is named twice',
    () => {
      const made = parts();
      const one = { name: 'api', service: server({}, made).service, image: made.image };
      return new HoldfastDeployment(made.stack, 'deployment', { stage: 'prod', services: [one, one] });
    },
    /named twice/,
  ],
  [
    'a canary without its queue',
    () => {
      const made = parts();
      const { stack, image, certificate } = made;
      return new HoldfastCanary(stack, 'canary', { server: server({}, made), image, certificate });
    },
    /holdfast-canary/,
  ],
];

for (const [name, run, sentence] of refused) {
  it(`${name}: the synthesis is refused with a sentence`, () => {
    expect(run).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'BAD_CONFIGURATION' }));
    expect(run).toThrow(sentence);
  });
}
