#!/bin/sh
# What the demo's container does: shows the world that it lives in.
echo "arguments:  $*"
echo "user:       $(id -un) in $PWD, harbour: $HARBOUR"
echo "hostname:   $(hostname)"
echo "processes:"
ps | sed 's/^/    /'
echo "network:"
ip -o -4 address | awk '{ print "    " $2, $4 }'
echo "mounts:     $(wc -l </proc/mounts), the root is $(awk '$2 == "/" { print $3 }' /proc/mounts)"
echo "file of the first stage:"
sed 's/^/    /' /srv/manifest.txt
echo "a file of its own" >log && echo "written:    $PWD/log: $(cat log)"
