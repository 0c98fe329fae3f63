import { Duration } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import { ports } from '../container/command-lines.ts';
import { containerName } from '../container/task.ts';
import { deregistrationSeconds, type Front, type FrontOptions } from './front.ts';

/**
 * Puts a Network Load Balancer before the server that passes TCP through: mutual TLS ends in the server, no header names a
 * client. It has no health check of gRPC, so that it asks the HTTP port.
 */
export function nlbFront(scope: Construct, options: FrontOptions, isShifted: boolean): Front {
  const { network, internetFacing, service, task } = options;
  const { vpc } = network;
  const group = new ec2.SecurityGroup(scope, 'FrontSecurityGroup', {
    ...{ vpc, allowAllOutbound: false, description: 'the load balancer of Holdfast' },
  });
  const loadBalancer = new elb.NetworkLoadBalancer(scope, 'Nlb', {
    ...{ vpc, internetFacing, securityGroups: [group], crossZoneEnabled: true, deletionProtection: true },
    vpcSubnets: internetFacing ? { subnetType: ec2.SubnetType.PUBLIC } : network.subnets,
  });
  acknowledge(
    loadBalancer,
    'ELB2',
    'A Network Load Balancer logs the connections of TLS listeners only; this one passes TCP through. The flow log has them.',
  );
  for (const [name, port] of [
    ['Grpc', ports.grpc],
    ['Http', ports.http],
  ] as const) {
    const targets = [`${name}Targets`, ...(isShifted ? [`${name}AlternateTargets`] : [])].map(
      (id) =>
        new elb.NetworkTargetGroup(scope, id, {
          ...{ vpc, port, protocol: elb.Protocol.TCP, targetType: elb.TargetType.IP },
          deregistrationDelay: Duration.seconds(deregistrationSeconds),
          healthCheck: {
            ...{ protocol: elb.Protocol.HTTPS, path: '/healthz', port: String(ports.http) },
            ...{ interval: Duration.seconds(10), healthyThresholdCount: 2, unhealthyThresholdCount: 3 },
          },
        }),
    );
    const [main, alternate] = targets as [elb.NetworkTargetGroup, elb.NetworkTargetGroup | undefined];
    const defaultTargetGroups = [main];
    const listener = loadBalancer.addListener(name, {
      port,
      protocol: elb.Protocol.TCP,
      defaultTargetGroups,
    });
    task.container.addPortMappings({ containerPort: port });
    main.addTarget(
      service.loadBalancerTarget({
        ...{ containerName, containerPort: port },
        ...(alternate !== undefined && {
          alternateTarget: new ecs.AlternateTarget(`${name}Alternate`, {
            alternateTargetGroup: alternate,
            productionListener: ecs.ListenerRuleConfiguration.networkListener(listener),
          }),
        }),
      }),
    );
    service.node.addDependency(listener);
    service.connections.allowFrom(group, ec2.Port.tcp(port), 'the load balancer');
  }
  const connections = new ec2.Connections({
    securityGroups: [group],
    defaultPort: ec2.Port.tcp(ports.grpc),
  });
  return { connections, loadBalancer, dnsName: loadBalancer.loadBalancerDnsName, port: ports.grpc };
}
