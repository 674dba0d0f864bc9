"""The devices that the worker process can compute on."""

from KDNetSegmentationLib.worker_job import WorkerJob


class DeviceListJob(WorkerJob):
    """``result`` becomes texts such as "cpu" or "cuda:0 NVIDIA H100"; the first word names the device."""

    def request(self, folder):
        return {"command": "devices"}

    def collect(self, event):
        return event["devices"]
