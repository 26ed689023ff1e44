"""Sealing: what the gateway hands out and must recognise later, encrypted so that nobody else can make or change it."""
