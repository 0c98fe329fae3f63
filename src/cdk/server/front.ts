import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { HoldfastTask } from '../container/task.ts';
import type { HoldfastNetwork } from '../network/network.ts';

/** The properties of a server that describe its front. */
export interface FrontProps {
  readonly listenerCertificates?: acm.ICertificate[];
  readonly trustBundleFile?: string;
  readonly trustBundleBucket?: s3.IBucket;
  readonly trustBundleKey?: string;
  readonly accessLogBucket?: s3.IBucket;
  readonly webAclArn?: string;
}

/** The parts of a server that its front needs. */
export interface FrontOptions {
  readonly network: HoldfastNetwork;
  readonly internetFacing: boolean;
  readonly service: ecs.FargateService;
  readonly task: HoldfastTask;
  readonly props: FrontProps;
}

/** A load balancer before the server. */
export interface Front {
  readonly connections: ec2.Connections;
  readonly loadBalancer: Construct & elb.ILoadBalancerV2;
  readonly dnsName: string;
  /** The port that clients dial. */
  readonly port: number;
}

/**
 * The deregistration delay in seconds: longer than a stream of a worker lives (240 s) with the time that it has to end, so
 * that no stream is cut by a deployment.
 */
export const deregistrationSeconds = 300;
