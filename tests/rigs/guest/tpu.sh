# A USB device that has the ids of an Edge TPU and nothing else of it: a gadget of this
# machine, plugged into a host controller of this machine.
set -e
modprobe dummy_hcd
modprobe libcomposite
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
gadget=/sys/kernel/config/usb_gadget/tpu
mkdir -p $gadget/strings/0x409 $gadget/configs/c.1
cd $gadget
echo 0x1a6e >idVendor
echo 0x089a >idProduct
echo rig >strings/0x409/serialnumber
mkdir -p functions/SourceSink.0
ln -sfn functions/SourceSink.0 configs/c.1/SourceSink.0
ls /sys/class/udc | head -n 1 >UDC
