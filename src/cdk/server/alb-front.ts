import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import { ports } from '../container/command-lines.ts';
import { containerName } from '../container/task.ts';
import { refusal } from '../refusal.ts';
import { deregistrationSeconds, type Front, type FrontOptions, type FrontProps } from './front.ts';

const port = 443;

/**
 * Puts an Application Load Balancer before the server. It verifies the certificates of clients by its trust store and passes
 * them on to a port of the server that takes them from the load balancer alone.
 */
export function albFront(scope: Construct, options: FrontOptions, isShifted: boolean): Front {
  const { network, internetFacing, service, task, props } = options;
  const { vpc } = network;
  const { listenerCertificates = [] } = props;
  if (listenerCertificates.length === 0)
    throw refusal(
      scope,
      'the listener of the load balancer has no certificate.',
      'Give listenerCertificates, of ACM.',
    );
  const trustStore = trustStoreOf(scope, props);
  const group = new ec2.SecurityGroup(scope, 'FrontSecurityGroup', {
    ...{ vpc, allowAllOutbound: false, description: 'the load balancer of Holdfast' },
  });
  const loadBalancer = new elb.ApplicationLoadBalancer(scope, 'Alb', {
    ...{ vpc, internetFacing, securityGroup: group, deletionProtection: true },
    vpcSubnets: internetFacing ? { subnetType: ec2.SubnetType.PUBLIC } : network.subnets,
    ...{ dropInvalidHeaderFields: true, desyncMitigationMode: elb.DesyncMitigationMode.STRICTEST },
    // A stream of a worker lives for 240 s and may be silent for long.
    idleTimeout: Duration.seconds(deregistrationSeconds),
  });
  loadBalancer.logAccessLogs(props.accessLogBucket ?? logBucket(scope));
  if (props.webAclArn !== undefined) {
    new wafv2.CfnWebACLAssociation(scope, 'WebAcl', {
      ...{ resourceArn: loadBalancer.loadBalancerArn, webAclArn: props.webAclArn },
    });
  }
  // The listener never loses its mutual TLS by an update: CloudFormation does not undo it. Another mode is another listener.
  const listener = loadBalancer.addListener('MutualTls', {
    ...{ port, protocol: elb.ApplicationProtocol.HTTPS, certificates: listenerCertificates, open: false },
    sslPolicy: elb.SslPolicy.RECOMMENDED_TLS,
    mutualAuthentication: {
      mutualAuthenticationMode: elb.MutualAuthenticationMode.VERIFY,
      ...{ trustStore, ignoreClientCertificateExpiry: false, advertiseTrustStoreCaNames: true },
    },
    defaultAction: elb.ListenerAction.fixedResponse(404),
  });
  const targets = ['Targets', ...(isShifted ? ['AlternateTargets'] : [])].map((id) =>
    targetGroup(scope, id, vpc),
  );
  const [main, alternate] = targets as [elb.ApplicationTargetGroup, elb.ApplicationTargetGroup | undefined];
  const weighted = targets.map((targetGroup, i) => ({ targetGroup, weight: i === 0 ? 1 : 0 }));
  const rule = new elb.ApplicationListenerRule(scope, 'Rule', {
    ...{ listener, priority: 1, conditions: [elb.ListenerCondition.pathPatterns(['/*'])] },
    action: isShifted ? elb.ListenerAction.weightedForward(weighted) : elb.ListenerAction.forward([main]),
  });
  task.container.addPortMappings({ containerPort: ports.alb });
  main.addTarget(
    service.loadBalancerTarget({
      ...{ containerName, containerPort: ports.alb },
      ...(alternate !== undefined && {
        alternateTarget: new ecs.AlternateTarget('Alternate', {
          alternateTargetGroup: alternate,
          productionListener: ecs.ListenerRuleConfiguration.applicationListenerRule(rule),
        }),
      }),
    }),
  );
  service.node.addDependency(rule);
  service.connections.allowFrom(group, ec2.Port.tcp(ports.alb), 'the load balancer');
  const connections = new ec2.Connections({ securityGroups: [group], defaultPort: ec2.Port.tcp(port) });
  return { connections, loadBalancer, dnsName: loadBalancer.loadBalancerDnsName, port };
}

function targetGroup(scope: Construct, id: string, vpc: ec2.IVpc): elb.ApplicationTargetGroup {
  return new elb.ApplicationTargetGroup(scope, id, {
    ...{ vpc, port: ports.alb, targetType: elb.TargetType.IP },
    ...{ protocol: elb.ApplicationProtocol.HTTPS, protocolVersion: elb.ApplicationProtocolVersion.GRPC },
    deregistrationDelay: Duration.seconds(deregistrationSeconds),
    healthCheck: {
      ...{ path: '/grpc.health.v1.Health/Check', healthyGrpcCodes: '0', interval: Duration.seconds(10) },
      ...{ timeout: Duration.seconds(5), healthyThresholdCount: 2, unhealthyThresholdCount: 3 },
    },
  });
}

function logBucket(scope: Construct): s3.IBucket {
  const bucket = new s3.Bucket(scope, 'AccessLogs', {
    ...{ enforceSSL: true, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL },
    // Load balancers write to buckets with keys of S3 only.
    encryption: s3.BucketEncryption.S3_MANAGED,
    lifecycleRules: [{ expiration: Duration.days(90) }],
    removalPolicy: RemovalPolicy.RETAIN,
  });
  acknowledge(
    bucket,
    'S1',
    'The bucket holds access logs itself; logs of their delivery would say nothing more.',
  );
  return bucket as s3.IBucket;
}

/** Returns the trust store. The key of its bundle follows from the content, so that a changed bundle is a new object. */
function trustStoreOf(scope: Construct, props: FrontProps): elb.TrustStore {
  const { trustBundleFile: file, trustBundleBucket: bucket, trustBundleKey: key } = props;
  if ((file === undefined) === (bucket === undefined) || (bucket === undefined) !== (key === undefined)) {
    const help = 'Give trustBundleFile, or trustBundleBucket and trustBundleKey.';
    throw refusal(scope, "the front 'alb' needs one bundle of the authorities of its clients.", help);
  }
  if (bucket !== undefined && key !== undefined)
    return new elb.TrustStore(scope, 'TrustStore', { bucket, key });
  const path = file as string;
  checkBundle(scope, path);
  const asset = new Asset(scope, 'TrustBundle', { path });
  return new elb.TrustStore(scope, 'TrustStore', { bucket: asset.bucket, key: asset.s3ObjectKey });
}

function checkBundle(scope: Construct, path: string): void {
  const help = 'Name a file of PEM with the certificates of the authorities, such as certs/ca.crt.';
  let blocks: RegExpMatchArray | null;
  try {
    const pem = readFileSync(path, 'utf8');
    blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
    if (pem.includes('PRIVATE KEY'))
      throw refusal(scope, `the bundle '${path}' has a private key.`, 'Keep it away from the load balancer.');
    for (const block of blocks ?? []) new X509Certificate(block);
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'HoldfastError') throw thrown;
    throw refusal(scope, `the bundle '${path}' cannot be read.`, help);
  }
  if (blocks === null) throw refusal(scope, `the bundle '${path}' has no certificate.`, help);
}
