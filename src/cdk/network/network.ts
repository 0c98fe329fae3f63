import { Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { refusal } from '../refusal.ts';

/** Properties of `HoldfastNetwork`. */
export interface HoldfastNetworkProps {
  /** The number of availability zones, at least 2. Default: 2. */
  readonly zones?: number;
  /** The address range of the VPC. Default: 10.0.0.0/16. */
  readonly cidr?: string;
  /** Adds public subnets, for a load balancer that is reached from the internet. Tasks never run in them. Default: false. */
  readonly publicSubnets?: boolean;
  /** How long the flow log is kept. Default: a month. */
  readonly flowLogRetention?: logs.RetentionDays;
}

/** Actions on resources of one AWS service that a task calls through an endpoint. */
export interface HoldfastCall {
  readonly actions: string[];
  readonly resources: string[];
}

/**
 * A VPC of two zones or more without NAT: tasks reach AWS by endpoints alone. Each construct of Holdfast names what its tasks
 * call (`calls`), and the network makes the endpoint of that service at the first call, with a policy that allows these
 * actions and resources alone. So an endpoint that nothing calls does not exist, and is not paid.
 */
export class HoldfastNetwork extends Construct {
  readonly vpc: ec2.IVpc;
  /** The subnets of the tasks: without a route to the internet. */
  readonly subnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };
  readonly #gateways = new Map<string, ec2.GatewayVpcEndpoint>();
  readonly #interfaces = new Map<string, ec2.InterfaceVpcEndpoint>();

  constructor(scope: Construct, id: string, props: HoldfastNetworkProps = {}) {
    super(scope, id);
    const { zones = 2, cidr = '10.0.0.0/16', publicSubnets = false } = props;
    if (!Number.isInteger(zones) || zones < 2)
      throw refusal(this, `zones is ${zones}.`, 'Use two availability zones or more: one alone may fail.');
    // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
    const vpc = new ec2.Vpc(this, 'Vpc', {
      // A stack that does not know its account would have two zones at most, whatever is wanted.
      availabilityZones: Array.from({ length: zones }, (_, i) => Fn.select(i, Fn.getAzs())),
      ...{ natGateways: 0, ipAddresses: ec2.IpAddresses.cidr(cidr) },
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'tasks', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 20 },
        ...(publicSubnets ? [{ name: 'front', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24 }] : []),
      ],
    });
    this.vpc = vpc as ec2.IVpc;
    const logGroup = new logs.LogGroup(this, 'FlowLog', {
      retention: props.flowLogRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.vpc.addFlowLog('FlowLog', { destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup) });
  }

  /** True if the network has public subnets. */
  get isPublic(): boolean {
    return this.vpc.publicSubnets.length > 0;
  }

  /**
   * Makes the endpoint of a service if there is none yet, and allows the call through it. `service` is its name in the names
   * of endpoints: `dynamodb`, `s3`, `sqs`, `logs`, `ecr.api`, …
   */
  calls(service: string, call: HoldfastCall, from: ec2.IConnectable): void {
    const statement = new iam.PolicyStatement({
      ...{ principals: [new iam.AnyPrincipal()], actions: call.actions, resources: call.resources },
      // The layers of images are read by links that Amazon ECR has signed, and not by the account of the task.
      ...(service !== 's3' && {
        conditions: { StringEquals: { 'aws:PrincipalAccount': Stack.of(this).account } },
      }),
    });
    if (service === 'dynamodb' || service === 's3') {
      this.#gateway(service).addToPolicy(statement);
      from.connections.allowTo(
        ec2.Peer.anyIpv4(),
        ec2.Port.HTTPS,
        'DynamoDB and S3 by gateway endpoints; no other route',
      );
      return;
    }
    const endpoint = this.#interface(service);
    endpoint.addToPolicy(statement);
    from.connections.allowTo(endpoint, ec2.Port.HTTPS, `the endpoint of ${service}`);
  }

  #gateway(service: string): ec2.GatewayVpcEndpoint {
    const known = this.#gateways.get(service);
    if (known !== undefined) return known;
    const made = this.vpc.addGatewayEndpoint(`${service}-gateway`, {
      service: new ec2.GatewayVpcEndpointAwsService(service),
      subnets: [this.subnets],
    });
    this.#gateways.set(service, made);
    return made;
  }

  #interface(service: string): ec2.InterfaceVpcEndpoint {
    const known = this.#interfaces.get(service);
    if (known !== undefined) return known;
    const made = this.vpc.addInterfaceEndpoint(`${service}-endpoint`, {
      service: new ec2.InterfaceVpcEndpointAwsService(service),
      ...{ subnets: this.subnets, open: false, privateDnsEnabled: true },
    });
    this.#interfaces.set(service, made);
    return made;
  }
}
