# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""N4, N18: sockets and devices of other kinds than TCP and UDP."""
import ctypes
import os
import socket
import struct

from network import ALLOWED, FORBIDDEN, LINK, OPEN_PORT, OTHER_PORT
from ways import both_versions, make, register, tcp, udp

PROTOCOL_MPTCP, PROTOCOL_UDPLITE, PROTOCOL_SCTP, PROTOCOL_DCCP = 262, 136, 132, 33
SOCK_DCCP, AF_SMC, AF_XDP, AF_RDS = 6, 43, 44, 21
SCTP_SOCKOPT_CONNECTX, IPV6_CHECKSUM = 110, 7
MSG_FASTOPEN = 0x20000000
ETH_P_IP = 0x0800
RDMA_PS_TCP = 0x0106

# Sockets that need not go anywhere: family, type, protocol.
OTHERS = {'xdp': (AF_XDP, socket.SOCK_RAW, 0), 'vsock': (socket.AF_VSOCK, socket.SOCK_STREAM, 0),
          'alg': (socket.AF_ALG, socket.SOCK_SEQPACKET, 0), 'rds': (AF_RDS, socket.SOCK_SEQPACKET, 0),
          'tipc': (socket.AF_TIPC, socket.SOCK_RDM, 0), 'dccp': (socket.AF_INET, SOCK_DCCP, PROTOCOL_DCCP)}


def udp_header(name, port):
    return struct.pack('!HHHH', 40000, port, 8 + len(name), 0) + name.encode()


def ip_packet(name, ip, port, options=b'', fragment=0, source='0.0.0.0'):
    """A datagram with a header of its own making; the kernel fills in its checksum."""
    data, words = udp_header(name, port), 5 + len(options) // 4
    header = struct.pack('!BBHHHBBH4s4s', 0x40 | words, 0, 4 * words + len(data), 0, fragment, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source), socket.inet_aton(ip))
    return header + options + data


def with_checksum(packet):
    """The same, where nobody fills it in."""
    total = sum(struct.unpack('!10H', packet[:20]))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return packet[:10] + struct.pack('!H', ~total & 0xffff) + packet[12:]


def raw(name, ip, port, protocol=socket.IPPROTO_RAW, **header):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        sock.sendto(ip_packet(name, ip, port, **header), (ip, 0))


def raw6(name, ip, port):
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 6)
        sock.sendto(udp_header(name, port), (ip, 0))


def packet(name, ip, port):
    """Past IP: straight to the device, to whoever is behind it."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        data = with_checksum(ip_packet(name, ip, port, source=LINK['forbidden']))
        sock.sendto(data, ('forbidden', ETH_P_IP, 0, 0, b'\xff' * 6))


def ping(_, ip):
    is_v6 = ':' in ip
    protocol, echo = (socket.IPPROTO_ICMPV6, 128) if is_v6 else (socket.IPPROTO_ICMP, 8)
    with make(ip, socket.SOCK_DGRAM, protocol) as sock:
        sock.sendto(bytes((echo,)) + b'\0\0\0\0\0\0\1', (ip, 0))


def sctp_connectx(name, ip, port):
    """The addresses are an option's value."""
    address = struct.pack('=H', socket.AF_INET) + struct.pack('!H', port) + socket.inet_aton(ip) + bytes(8)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, PROTOCOL_SCTP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('=qq', 1, 0))
        sock.setsockopt(PROTOCOL_SCTP, SCTP_SOCKOPT_CONNECTX, address)
        sock.send(name.encode())


def smc(name, version):
    """Falls back to TCP where the other side does not know it."""
    family = socket.AF_INET6 if version == '6' else socket.AF_INET
    with socket.socket(AF_SMC, socket.SOCK_STREAM, int(version == '6')) as sock:
        sock.settimeout(3)
        # Python knows no addresses of AF_SMC: a descriptor of the same, as TCP.
        with socket.socket(family, socket.SOCK_STREAM, 0, fileno=os.dup(sock.fileno())) as same:
            same.settimeout(3)
            same.connect((FORBIDDEN[version], OPEN_PORT))
            same.send(name.encode())


def create(_, family, kind, protocol):
    socket.socket(family, kind, protocol).close()


def device(_, path):
    with open(path, 'r+b', buffering=0):
        pass


def rdma_manager(_):
    """RDMA_USER_CM_CMD_CREATE_ID: the first of what connects."""
    answer = ctypes.create_string_buffer(4)
    with open('/dev/infiniband/rdma_cm', 'r+b', buffering=0) as node:
        node.write(struct.pack('=IHHQQHBBI', 0, 24, 4, 0, ctypes.addressof(answer), RDMA_PS_TCP, 0, 0, 0))


@both_versions
def n3_mptcp_fast_open(name, version):
    with make(FORBIDDEN[version], socket.SOCK_STREAM, PROTOCOL_MPTCP) as sock:
        sock.setblocking(True)
        sock.sendto(name.encode(), MSG_FASTOPEN, (FORBIDDEN[version], OPEN_PORT))


def register_all():
    for version in '46':
        bad, good = FORBIDDEN[version], ALLOWED[version]
        register(f'n4_mptcp{version}', tcp, bad, OPEN_PORT, protocol=PROTOCOL_MPTCP)
        register(f'n4_sctp{version}', tcp, bad, OPEN_PORT, protocol=PROTOCOL_SCTP)
        register(f'n4_sctp{version}_allowed', tcp, good, OPEN_PORT, protocol=PROTOCOL_SCTP)
        register(f'n4_udplite{version}', udp, bad, OPEN_PORT, protocol=PROTOCOL_UDPLITE)
        register(f'n4_ping{version}', ping, bad)
        register(f'n4_ping{version}_allowed', ping, good)
        register(f'n4_smc{version}', smc, version)
    register('n4_sctp_connectx', sctp_connectx, FORBIDDEN['4'], OPEN_PORT)
    register('n4_raw', raw, FORBIDDEN['4'], OPEN_PORT)
    register('n4_raw_allowed', raw, ALLOWED['4'], OPEN_PORT)
    register('n4_raw_port', raw, ALLOWED['4'], OTHER_PORT)
    register('n4_raw_fragment', raw, ALLOWED['4'], OPEN_PORT, fragment=1)
    register('n4_own_header', raw, FORBIDDEN['4'], OPEN_PORT, protocol=socket.IPPROTO_UDP)
    register('n4_raw6', raw6, FORBIDDEN['6'], OPEN_PORT)
    register('n4_raw6_allowed', raw6, ALLOWED['6'], OPEN_PORT)
    register('n4_packet', packet, FORBIDDEN['4'], OPEN_PORT)
    for name, kind in OTHERS.items():
        register(f'n4_{name}', create, *kind)
    register('n18_manager', rdma_manager)
    register('n18_verbs', device, '/dev/infiniband/uverbs0')
