#!/bin/sh
# After the package is gone. Data and configuration stay, unless they are purged (dpkg only).
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rm -rf /etc/contactbridge /var/lib/contactbridge
	for part in bridge hub; do
		userdel "contactbridge-$part" 2>/dev/null || true
	done
fi
