/* SPDX-License-Identifier: Apache-2.0 */
/* What patcher.h asks of a port, for the day on which it is written. */
#include "patcher/patcher.h"

#define PAGE_MAX 65536u
#define UNIT_MIN 16u

static bool divides(uint32_t unit, uint64_t size)
{
    return unit != 0 && size % unit == 0;
}

static bool spare_fits(const struct kerf_port *port)
{
    uint32_t unit = port->spare_unit;

    return port->read_spare != NULL && port->erase_spare != NULL && port->write_spare != NULL && unit >= UNIT_MIN &&
           (unit & (unit - 1)) == 0 && divides(unit, port->page_size) && divides(port->page_size, port->spare_sector) &&
           divides(port->spare_sector, port->journal_size / 2) && port->journal_size % 2 == 0 &&
           port->journal_size <= port->spare_size && port->interval != 0 && divides(port->page_size, port->interval) &&
           (port->sector_size == 0 || divides(port->sector_size, port->interval));
}

bool kerf_port_fits(const struct kerf_port *port)
{
    return port->read_old != NULL && port->read_new != NULL && port->write_new != NULL && port->hash != NULL &&
           port->page_size != 0 && port->page_size <= PAGE_MAX &&
           (port->sector_size == 0 || (port->erase_new != NULL && divides(port->page_size, port->sector_size))) &&
           (!KERF_JOURNAL || port->journal_size == 0 || spare_fits(port));
}
