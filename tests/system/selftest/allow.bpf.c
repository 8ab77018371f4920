// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs for a job's cgroup that load, attach and let everything through: what the self-test must
 * notice.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define CGROUP_ALLOW 1

SEC("cgroup/connect4")
int egress_connect4(struct bpf_sock_addr *ctx)
{
	return CGROUP_ALLOW;
}

SEC("cgroup/connect6")
int egress_connect6(struct bpf_sock_addr *ctx)
{
	return CGROUP_ALLOW;
}

SEC("cgroup/sendmsg4")
int egress_sendmsg4(struct bpf_sock_addr *ctx)
{
	return CGROUP_ALLOW;
}

SEC("cgroup/sendmsg6")
int egress_sendmsg6(struct bpf_sock_addr *ctx)
{
	return CGROUP_ALLOW;
}

SEC("cgroup/sock_create")
int egress_sock_create(struct bpf_sock *ctx)
{
	return CGROUP_ALLOW;
}

SEC("cgroup_skb/egress")
int packet_egress(struct __sk_buff *skb)
{
	return CGROUP_ALLOW;
}

SEC("cgroup_skb/ingress")
int packet_ingress(struct __sk_buff *skb)
{
	return CGROUP_ALLOW;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
