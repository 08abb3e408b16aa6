/* SPDX-License-Identifier: Apache-2.0 */
/* What patcher.h asks of a port, for the day on which it is written. */
#include "patcher/patcher.h"

#define PAGE_MAX 65536u
#define UNIT_MIN 16u

static bool divides(uint32_t unit, uint64_t size)
{
    return unit != 0 && size % unit == 0;
}

static bool power_of_2(uint32_t v)
{
    return (v & (v - 1)) == 0;
}

static bool spare_fits(const struct kerf_port *port)
{
    uint32_t unit = port->spare_unit;

    return port->read_spare != NULL && port->spare.erase != NULL && port->spare.write != NULL && unit >= UNIT_MIN &&
           power_of_2(unit) && divides(unit, port->page_size) && divides(port->page_size, port->spare.sector_size) &&
           divides(port->spare.sector_size, port->journal_size / 2) && port->journal_size % 2 == 0 &&
           port->journal_size <= port->spare_size && port->interval != 0 && divides(port->page_size, port->interval) &&
           (port->slot.sector_size == 0 || divides(port->slot.sector_size, port->interval)) &&
           (port->spare_size == port->journal_size || /* else there is scratch, for updates in place */
            (power_of_2(port->slot.sector_size) && power_of_2(port->spare.sector_size)));
}

bool kerf_port_fits(const struct kerf_port *port)
{
    return port->io.read_old != NULL && port->io.read_new != NULL && port->slot.write != NULL && port->hash != NULL &&
           port->page_size != 0 && port->page_size <= PAGE_MAX &&
           (port->slot.sector_size == 0 ||
            (port->slot.erase != NULL && divides(port->page_size, port->slot.sector_size))) &&
           (!KERF_JOURNAL || port->journal_size == 0 || spare_fits(port));
}
