"""Configs that the generator cannot make: name → text."""

from __future__ import annotations

WRITTEN = {
    "without-interface": """
vrrp_instance A {
  virtual_router_id 5
  unicast_src_ip 10.255.1.1
  unicast_peer {
    10.255.1.2
  }
  virtual_ipaddress {
    10.0.0.1
    10.0.0.2/24 dev eth1
  }
  virtual_ipaddress_excluded {
    10.0.0.3
  }
}
""",
    "without-interface-or-source": """
vrrp_instance A {
  virtual_router_id 5
  unicast_peer {
    10.255.1.2
  }
  virtual_ipaddress {
    10.0.0.2/24 dev eth1
  }
}
""",
    "random": """
$P=${_RANDOM 50 60}
vrrp_instance A {
  interface eth0
  virtual_router_id ${_RANDOM 10 20}
  priority $P
  advert_int ${_RANDOM 2 3}
  virtual_ipaddress {
    10.0.0.${_RANDOM 1 9}
    10.0.0.22
  }
}
virtual_server 10.0.0.22 80 {
  lvs_method DR
  protocol TCP
  real_server 10.0.1.1 80 {
    weight ${_RANDOM 2 9}
    TCP_CHECK {
      connect_timeout ${_RANDOM 1 3}
    }
  }
  real_server 10.0.1.2 80 {
    weight 3
  }
}
""",
    "scripts-and-files": """
track_file tf {
  file "/tmp/tf"
  weight 2
}
virtual_server 10.0.0.22 80 {
  lvs_method DR
  protocol TCP
  real_server 10.0.1.1 80 {
    MISC_CHECK {
      misc_path "/usr/sbin/keepalived --version"
      misc_timeout 5
    }
    TCP_CHECK {
      connect_timeout 3
    }
  }
  real_server 10.0.1.2 80 {
    MISC_CHECK {
      misc_path /usr/sbin/keepalived
      misc_dynamic
    }
    MISC_CHECK {
      misc_timeout 5
    }
  }
  real_server 10.0.1.3 80 {
    FILE_CHECK {
      track_file tf
      weight -3
    }
  }
  real_server 10.0.1.4 80 {
    FILE_CHECK {
      track_file nowhere
    }
  }
  real_server 10.0.1.5 80 {
    FILE_CHECK {
      weight 3
    }
  }
  real_server 10.0.1.6 80 {
    MISC_CHECK {
      misc_path /not/there
    }
  }
}
""",
}
