"""The keywords of keepalived.conf and which of them start a block, as keepalived itself installs them.

From ``install_keyword`` in keepalived 2.1.5, 2.2.7, 2.3.3 and 2.4.3, put together: each knows what an earlier one knew.
A process skips the blocks of the others as a whole, by counting braces: the parent reads ``global_defs`` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class Block(Struct, frozen=True):
    keywords: Mapping[str, Block | None] | None = None  # None for a list of values, which ends at the first ``}``
    processes: frozenset[str] = frozenset()  # which of ``parent``, ``vrrp`` and ``checker`` read it; the others skip it


VALUES = Block()
GLOBAL_LINES = (
    *("linkbeat_use_polling", "net_namespace", "net_namespace_ipvs", "namespace_with_ipsets", "use_pid_dir"),
    *("instance", "child_wait_time"),
)
"""Global keywords that may be outside of ``global_defs``."""


def _block(plain: str, /, **blocks: Block) -> Block:
    return Block({**dict.fromkeys(plain.split()), **blocks})


def _read_by(blocks: Mapping[str, Block], *processes: str) -> dict[str, Block]:
    return {name: Block(block.keywords, frozenset(processes)) for name, block in blocks.items()}


def _values(names: str) -> dict[str, Block]:
    return dict.fromkeys(names.split(), VALUES)


_GLOBAL = (
    "process_names process_name vrrp_process_name lvs_process_name bfd_process_name router_id notification_email_from "
    "smtp_server smtp_helo_name smtp_connect_timeout smtp_alert startup_script startup_script_timeout shutdown_script "
    "shutdown_script_timeout max_auto_priority min_auto_priority_delay smtp_alert_vrrp smtp_alert_checker "
    "checker_log_all_failures dynamic_interfaces no_email_faults default_interface lvs_timeouts lvs_flush "
    "lvs_flush_onstop lvs_sync_daemon vrrp_mcast_group4 vrrp_mcast_group6 vrrp_garp_master_delay "
    "vrrp_garp_master_repeat vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_lower_prio_delay "
    "vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp vrrp_lower_prio_no_advert "
    "vrrp_higher_prio_send_advert vrrp_version vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_counters "
    "nftables_ifindex vrrp_check_unicast_src vrrp_skip_check_adv_addr vrrp_strict vrrp_priority vrrp_no_swap "
    "vrrp_rt_priority vrrp_cpu_affinity vrrp_rlimit_rttime vrrp_rlimit_rtime notify_fifo notify_fifo_script "
    "vrrp_notify_fifo vrrp_notify_fifo_script vrrp_notify_priority_changes lvs_notify_fifo lvs_notify_fifo_script "
    "checker_priority checker_no_swap checker_rt_priority checker_cpu_affinity checker_rlimit_rttime "
    "checker_rlimit_rtime bfd_priority bfd_no_swap bfd_rt_priority bfd_cpu_affinity bfd_rlimit_rttime "
    "bfd_rlimit_rtime snmp_socket enable_traps enable_snmp_vrrp enable_snmp_keepalived enable_snmp_rfc "
    "enable_snmp_rfcv2 enable_snmp_rfcv3 enable_snmp_checker enable_dbus dbus_service_name script_user "
    "enable_script_security vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs "
    "vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force "
    "lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs "
    "lvs_netlink_monitor_rcv_bufs_force rs_init_notifies no_checker_emails vrrp_rx_bufs_policy "
    "vrrp_rx_bufs_multiplier vrrp_startup_delay log_unknown_vrids umask random_seed reload_time_file reload_repeat "
    "checker_process_name disable_local_igmp lvs_flush_on_stop vrrp_down_timer_adverts vrrp_garp_extra_if "
    "vrrp_vmac_garp_intvl nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark "
    "fifo_write_vrrp_states_on_reload vmac_prefix vmac_addr_prefix reload_check_config reload_file include_check "
    "config_save_dir tmp_config_directory data_use_instance use_symlink_paths v3_checksum_as_v2 "
    "snmp_vs_stats_update_interval snmp_rs_stats_update_interval dbus_no_interface_name vrrp_owner_ignore_adverts "
    "json_version iproute_usr_dir iproute_etc_dir state_dump_file stats_dump_file json_dump_file "
    "vrrp_delay_after_boot"
)
_CONNECTION = (
    "connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup "
    "delay_loop alpha log_all_failures"
)
_URL = (
    "path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset "
    "regex_stack"
)
_REAL_SERVER = (
    "weight lvs_method uthreshold lthreshold inhibit_on_failure notify_up notify_down alpha retry delay_before_retry "
    "warmup connect_timeout delay_loop smtp_alert virtualhost snmp_name"
)
_VIRTUAL_SERVER = (
    "ip_family retry delay_before_retry warmup connect_timeout delay_loop inhibit_on_failure lb_algo lvs_sched hashed "
    "ops flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback lb_kind lvs_method persistence_engine "
    "persistence_timeout persistence_granularity protocol ha_suspend smtp_alert virtualhost alpha omega quorum_up "
    "quorum_down quorum hysteresis weight sorry_server sorry_server_inhibit sorry_server_lvs_method snmp_name"
)
_INSTANCE = (
    "use_vmac vmac_xmit_base use_ipvlan check_unicast_src old_unicast_checksum native_ipv6 state interface "
    "dont_track_primary mcast_src_ip unicast_src_ip track_src_ip virtual_router_id unicast_ttl version priority "
    "advert_int promote_secondaries linkbeat_use_polling accept no_accept skip_check_adv_addr strict_mode preempt "
    "nopreempt preempt_delay debug notify_backup notify_master notify_fault notify_stop notify_deleted notify "
    "notify_master_rx_lower_pri smtp_alert notify_priority_changes lvs_sync_daemon_interface garp_master_delay "
    "garp_master_refresh garp_master_repeat garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat "
    "lower_prio_no_advert higher_prio_send_advert kernel_rx_buf_size use_vmac_addr unicast_fault_no_peer vrf "
    "mcast_dst_ip down_timer_adverts garp_extra_if vmac_garp_intvl no_virtual_ipaddress v3_checksum_as_v2 "
    "timer_expired_backup thread_timer_expired owner_ignore_adverts"
)
_INSTANCE_VALUES = (
    "unicast_peer track_interface track_script track_file track_process track_bfd virtual_ipaddress "
    "virtual_ipaddress_excluded virtual_routes virtual_rules"
)
_SYNC_GROUP = (
    "notify_backup notify_master notify_fault notify_stop notify smtp_alert global_tracking "
    "sync_group_tracking_weight notify_priority_changes"
)
_TRACKS = "track_interface track_script track_file track_process track_bfd"
_TRACK_FILE = "file weight init_file"

_HTTP = _block(f"{_CONNECTION} nb_get_retry virtualhost http_protocol enable_sni fast_recovery", url=_block(_URL))
_CHECKS = {
    "MISC_CHECK": _block(f"{_CONNECTION} misc_path misc_timeout misc_dynamic user"),
    "SMTP_CHECK": _block(f"{_CONNECTION} helo_name", host=_block(_CONNECTION)),
    "TCP_CHECK": _block(_CONNECTION),
    "PING_CHECK": _block(_CONNECTION),
    "UDP_CHECK": _block(f"{_CONNECTION} payload require_reply min_reply_length max_reply_length"),
    "HTTP_GET": _HTTP,
    "SSL_GET": _HTTP,
    "DNS_CHECK": _block(f"{_CONNECTION} type name"),
    "FILE_CHECK": _block("track_file weight"),
    "BFD_CHECK": _block("name alpha"),
}
_CHECKER = {
    "SSL": _block("password ca certificate key"),
    "virtual_server_group": VALUES,
    "virtual_server": _block(_VIRTUAL_SERVER, real_server=_block(_REAL_SERVER, **_CHECKS)),
}
_VRRP = {
    **_values("static_ipaddress static_routes static_rules linkbeat_interfaces interface_up_down_delays"),
    "track_group": _block("", group=VALUES),
    "vrrp_sync_group": _block(_SYNC_GROUP, group=VALUES, **_values(_TRACKS)),
    "garp_group": _block("garp_interval gna_interval interface", interfaces=VALUES),
    "vrrp_instance": _block(
        _INSTANCE,
        **_values(_INSTANCE_VALUES),
        authentication=_block("auth_type auth_pass"),
        auth_hmac=_block("key active_key time_window anti_replay mode"),
    ),
    "vrrp_script": _block("script interval timeout weight rise fall user init_fail"),
    "vrrp_track_process": _block(
        "process param_match weight quorum quorum_max delay terminate_delay fork_delay full_command"
    ),
}
_CHILDREN = {
    "track_file": _block(_TRACK_FILE),
    "vrrp_track_file": _block(_TRACK_FILE),
    "bfd_instance": _block(
        "source_ip neighbor_ip neighbour_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops "
        "weight vrrp checker multihop"
    ),
}
ROOT: dict[str, Block | None] = {
    **dict.fromkeys(GLOBAL_LINES),
    **_read_by({"global_defs": _block(_GLOBAL, notification_email=VALUES)}, "parent"),
    **_read_by(_CHECKER, "checker"),
    **_read_by(_VRRP, "vrrp"),
    **_read_by(_CHILDREN, "vrrp", "checker"),
}

NEED_VALUE = frozenset(
    {
        *("virtual_server", "virtual_server_group", "real_server", "sorry_server", "protocol", "lb_algo", "lvs_sched"),
        *("lb_kind", "lvs_method", "sorry_server_lvs_method", "uthreshold", "lthreshold", "quorum", "hysteresis"),
        *("ip_family", "delay_loop", "connect_timeout", "delay_before_retry", "retry", "warmup", "weight"),
        *("persistence_engine", "persistence_granularity", "state", "interface", "vrf", "mcast_src_ip"),
        *("unicast_src_ip", "mcast_dst_ip", "virtual_router_id", "unicast_ttl", "priority", "advert_int"),
        *("preempt_delay", "version", "auth_type", "auth_pass"),
    }
)
"""keepalived exits when one of these has no value."""
