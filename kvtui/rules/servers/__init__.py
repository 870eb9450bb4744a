"""Virtual and real servers: the IPVS table compared with keepalived's config and health checks."""
