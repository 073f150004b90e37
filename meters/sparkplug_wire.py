"""The protobuf messages of Sparkplug B, as far as meters need them. Pure.

Written from the Eclipse Sparkplug Specification 3.0, section 6 (payload definition):
field numbers and types, nothing else. Of a metric's properties only those that are
texts are declared, such as its unit. Datasets, templates, nested properties and
metadata are not: they stay undecoded bytes, however deep they are nested.

The protobuf runtime decodes. Messages are declared here instead of generated from a
.proto file: generated code works only with runtimes at least as new as its generator.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_METRIC = "keywatt.sparkplug.Metric"
_METRIC_FIELDS = {
    "name": (1, Field.TYPE_STRING),
    "alias": (2, Field.TYPE_UINT64),
    "timestamp": (3, Field.TYPE_UINT64),
    "datatype": (4, Field.TYPE_UINT32),
    "is_historical": (5, Field.TYPE_BOOL),
    "is_transient": (6, Field.TYPE_BOOL),
    "is_null": (7, Field.TYPE_BOOL),
}
_VALUE_FIELDS = {
    "int_value": (10, Field.TYPE_UINT32),
    "long_value": (11, Field.TYPE_UINT64),
    "float_value": (12, Field.TYPE_FLOAT),
    "double_value": (13, Field.TYPE_DOUBLE),
    "boolean_value": (14, Field.TYPE_BOOL),
    "string_value": (15, Field.TYPE_STRING),
    "bytes_value": (16, Field.TYPE_BYTES),
    # dataset, template, extension: whatever is in them.
    "dataset_value": (17, Field.TYPE_BYTES),
    "template_value": (18, Field.TYPE_BYTES),
    "extension_value": (19, Field.TYPE_BYTES),
}
_PROPERTY_FIELDS = {"is_null": (2, Field.TYPE_BOOL), "text": (8, Field.TYPE_STRING)}
_PAYLOAD_FIELDS = {
    "timestamp": (1, Field.TYPE_UINT64),
    "seq": (3, Field.TYPE_UINT64),
    "uuid": (4, Field.TYPE_STRING),
    "body": (5, Field.TYPE_BYTES),
}


def _declared() -> FileDescriptorProto:
    """Declare both messages."""
    file = FileDescriptorProto(
        name="keywatt_sparkplug_b.proto", package="keywatt.sparkplug", syntax="proto2"
    )
    value = file.message_type.add(name="PropertyValue")
    for name, (number, kind) in _PROPERTY_FIELDS.items():
        value.field.add(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
    properties = file.message_type.add(name="PropertySet")
    properties.field.add(
        name="keys", number=1, type=Field.TYPE_STRING, label=Field.LABEL_REPEATED
    )
    properties.field.add(
        name="values",
        number=2,
        type=Field.TYPE_MESSAGE,
        type_name=".keywatt.sparkplug.PropertyValue",
        label=Field.LABEL_REPEATED,
    )
    metric = file.message_type.add(name="Metric")
    metric.field.add(
        name="properties",
        number=9,
        type=Field.TYPE_MESSAGE,
        type_name=".keywatt.sparkplug.PropertySet",
        label=Field.LABEL_OPTIONAL,
    )
    metric.oneof_decl.add(name="value")
    for name, (number, kind) in _METRIC_FIELDS.items():
        metric.field.add(
            name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL
        )
    for name, (number, kind) in _VALUE_FIELDS.items():
        metric.field.add(
            name=name,
            number=number,
            type=kind,
            label=Field.LABEL_OPTIONAL,
            oneof_index=0,
        )
    payload = file.message_type.add(name="Payload")
    for name, (number, kind) in _PAYLOAD_FIELDS.items():
        payload.field.add(
            name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL
        )
    payload.field.add(
        name="metrics",
        number=2,
        type=Field.TYPE_MESSAGE,
        type_name=f".{_METRIC}",
        label=Field.LABEL_REPEATED,
    )
    return file


_POOL = DescriptorPool()
_POOL.Add(_declared())

WirePayload: Any = GetMessageClass(
    _POOL.FindMessageTypeByName("keywatt.sparkplug.Payload")
)
"""The class of a whole message."""
