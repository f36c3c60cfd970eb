#!/bin/sh
# After the first installation and after an upgrade, of both kinds of packages.
set -e

# Users: by systemd where it is there.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers contactbridge.conf
else
	for part in bridge hub; do
		getent passwd "contactbridge-$part" >/dev/null ||
			useradd --system --user-group --no-create-home --home-dir "/var/lib/contactbridge/$part" --shell /usr/sbin/nologin "contactbridge-$part"
	done
fi

# Each program reads its own configuration only: it may hold passwords.
install -d -m 755 /etc/contactbridge /var/lib/contactbridge
for part in bridge hub; do
	[ -e "/etc/contactbridge/$part.yaml" ] || install -m 640 -g "contactbridge-$part" "/usr/share/contactbridge/$part.yaml" "/etc/contactbridge/$part.yaml"
	[ -e "/etc/contactbridge/$part.env" ] || install -m 640 -g "contactbridge-$part" /dev/null "/etc/contactbridge/$part.env"
	[ -d "/var/lib/contactbridge/$part" ] || install -d -m 700 -o "contactbridge-$part" -g "contactbridge-$part" "/var/lib/contactbridge/$part"
done

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# Those that run get the new program; nothing is started that was not running.
	systemctl try-restart contactbridge-bridge.service contactbridge-hub.service
fi
