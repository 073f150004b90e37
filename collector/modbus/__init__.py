"""Over Modbus: buses, and meters asked at their pace."""
