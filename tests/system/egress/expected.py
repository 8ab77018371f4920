# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What must become of each attempt: its answer in a job, the alert (code and rule), and where it arrives in no job."""
TO_ALLOWED, TO_FORBIDDEN, TO_OUTSIDER, TO_NEIGHBOUR, NOWHERE = 'allowed', 'forbidden', 'outsider', 'neighbour', None
DEFAULT = 'egress.default'
CONNECT, CONNECT_BY_CGROUP = ('EACCES', 'net_connect', DEFAULT), ('EPERM', 'net_connect', DEFAULT)
DATAGRAM, HEADER = ('EPERM', 'net_sendmsg', DEFAULT), ('EPERM', 'net_packet_out', 'builtin:packet-header')
PACKET, SOCKET = ('EPERM', 'net_packet_out', DEFAULT), ('EACCES', 'net_socket', 'sockets.default')
RECEIVED, RECEIVED_UNIX = ('EACCES', 'net_receive', 'builtin:foreign-socket'), ('EACCES', 'net_receive', 'unix.default')
UNIX, FILE = ('EACCES', 'net_unix', 'unix.default'), ('EACCES', 'file_open_write', 'filesystem.default')
# Nobody is told: it asks again and again, until it gives up.
UNTOLD = ('EINPROGRESS', 'net_packet_out', DEFAULT)
# The kernel's ping over IPv6 does not look what became of its packet.
UNHEEDED = ('OK', 'net_packet_out', DEFAULT)


def of_both(names, what, where):
    return {f'{name}{version}': (what, where) for name in names for version in '46'}


PLAIN = {
    **{f'n1_{kind}{version}_{what}': (how, where) for version in '46' for kind, how in (('tcp', CONNECT), ('udp', DATAGRAM))
       for what, where in (('address', TO_FORBIDDEN), ('port', TO_ALLOWED), ('protocol', TO_ALLOWED))},
    **{f'n2_{what}_{kind}': (how, TO_FORBIDDEN) for what in ('mapped', '6to4', 'nat64', 'link_local')
       for kind, how in (('tcp', CONNECT), ('udp', DATAGRAM))},
    **{f'n2_{what}': (DATAGRAM, TO_FORBIDDEN) for what in ('broadcast', 'broadcast_all', 'multicast', 'multicast6')},
    **of_both(('n3_fast_open', 'n3_fast_open_message'), CONNECT_BY_CGROUP, TO_FORBIDDEN),
    **of_both(('n3_fast_open_connect', 'n5_reconnected'), CONNECT, TO_FORBIDDEN),
    **of_both(('n5_connected_elsewhere', 'n5_pktinfo', 'n5_many_messages'), DATAGRAM, TO_FORBIDDEN),
    **of_both(('n4_mptcp', 'n4_sctp', 'n4_smc'), SOCKET, TO_FORBIDDEN), **of_both(('n4_udplite', 'n4_ping'), SOCKET, NOWHERE),
    **{f'n4_{name}': (SOCKET, NOWHERE) for name in ('vsock', 'alg', 'rds', 'tipc', 'dccp')},
    **of_both(('n6_tcp', 'n6_udp'), RECEIVED, TO_FORBIDDEN), **of_both(('n6_listener',), RECEIVED, TO_OUTSIDER),
    **{f'n7_{what}{version}_{how}': (answer, where) for version in '46' for what, answer, where, ways in (
        ('socket', SOCKET, NOWHERE, ('plain', 'polled')), ('connect', CONNECT, TO_FORBIDDEN, ('plain', 'worker', 'polled')),
        ('fast_open', CONNECT_BY_CGROUP, TO_FORBIDDEN, ('worker',)), ('sendmsg', DATAGRAM, TO_FORBIDDEN,
        ('plain', 'worker', 'polled')),
        ('send_zc', DATAGRAM, TO_FORBIDDEN, ('plain', 'polled'))) for how in ways},
    **{f'n9_outside_{what}': (CONNECT_BY_CGROUP, TO_OUTSIDER) for what in ('tcp', 'any', 'any6', 'mapped', 'tcp6')},
    **{f'n9_outside_{what}': (DATAGRAM, TO_OUTSIDER) for what in ('udp', 'udp6')},
    'n9_astray': (PACKET, NOWHERE), 'n9_broadcast': (PACKET, TO_OUTSIDER),
    'n9_machine_address': (CONNECT, TO_OUTSIDER), 'n9_machine_address6': (CONNECT, TO_OUTSIDER),
    'n9_machine_address_udp': (DATAGRAM, TO_OUTSIDER), 'n9_nobody_there': (CONNECT, TO_FORBIDDEN),
    **of_both(('n9_neighbour_tcp',), CONNECT_BY_CGROUP, TO_NEIGHBOUR), **of_both(('n9_neighbour_udp',), DATAGRAM, TO_NEIGHBOUR),
    **{f'n10_{what}{how}': (answer, TO_FORBIDDEN) for what in ('metadata4', 'metadata6', 'private', 'private6')
       for how, answer in (('', CONNECT), ('_udp', DATAGRAM))},
    **{f'n17_{what}': (UNIX, TO_OUTSIDER) for what in ('daemon', 'daemon_datagram', 'abstract', 'abstract_datagram')},
    'n17_pair': (RECEIVED_UNIX, TO_OUTSIDER), 'n17_connection': (RECEIVED_UNIX, TO_OUTSIDER),
    'n18_manager': (FILE, NOWHERE),
}
# Only root may make these, or the kernel lets only root.
ROOTS = {
    'n4_raw': (SOCKET, TO_FORBIDDEN), 'n4_own_header': (SOCKET, TO_FORBIDDEN), 'n4_raw6': (SOCKET, TO_FORBIDDEN),
    'n4_packet': (SOCKET, TO_FORBIDDEN), 'n4_xdp': (SOCKET, NOWHERE),
    **of_both(('n8_mark', 'n8_device', 'n8_namespace'), CONNECT, TO_FORBIDDEN),
    **of_both(('n8_transparent',), DATAGRAM, TO_FORBIDDEN),
    'n8_source_route': (HEADER, NOWHERE), 'n8_routing_header': (HEADER, NOWHERE), 'n8_tunnel': (FILE, TO_FORBIDDEN),
    'n18_verbs': (FILE, NOWHERE),
}
# A policy that names these kinds of sockets.
KINDS = ['mptcp', 'udplite', 'ping', 'raw', 'sctp', 'smc']
NAMED = {
    **of_both(('n4_mptcp', 'n4_sctp', 'n4_smc'), CONNECT, TO_FORBIDDEN), **of_both(('n4_udplite',), DATAGRAM, NOWHERE),
    'n4_ping4': (PACKET, NOWHERE), 'n4_ping6': (UNHEEDED, NOWHERE), **of_both(('n3_mptcp_fast_open',), CONNECT_BY_CGROUP, TO_FORBIDDEN),
    'n4_raw': (PACKET, TO_FORBIDDEN), 'n4_own_header': (PACKET, TO_FORBIDDEN), 'n4_raw_port': (PACKET, TO_ALLOWED),
    'n4_raw_fragment': (HEADER, NOWHERE), 'n4_raw6': (PACKET, TO_FORBIDDEN), 'n4_sctp_connectx': (UNTOLD, TO_FORBIDDEN),
}
ALLOWED = {f'n1_{kind}{version}_allowed': TO_ALLOWED for kind in ('tcp', 'udp') for version in '46'}
OWN = [f'n9_own_{kind}{where}' for kind in ('tcp', 'udp') for where in ('4', '6', '_far')]
NAMED_ALLOWED = {'n4_ping4_allowed': NOWHERE, 'n4_ping6_allowed': NOWHERE, 'n4_raw_allowed': TO_ALLOWED,
                 'n4_raw6_allowed': TO_ALLOWED, 'n4_sctp4_allowed': TO_ALLOWED, 'n4_sctp6_allowed': TO_ALLOWED}

# What a kernel answers that has no such thing, and of which attempts that may be true.
ABSENT = {'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT', 'EAFNOSUPPORT', 'ENOENT', 'EOPNOTSUPP', 'ENOTSUP'}
MAY_BE_ABSENT = {'n3_mptcp_fast_open4', 'n3_mptcp_fast_open6', 'n4_udplite4', 'n4_udplite6', 'n4_smc4', 'n4_smc6', 'n4_rds', 'n4_tipc',
                 'n4_dccp', 'n18_manager', 'n18_verbs'}
